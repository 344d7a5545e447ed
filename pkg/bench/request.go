package bench

import (
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// request is the body of a connection's requests, made once: only what differs
// from one event to the next is written anew.
type request struct {
	template *template
	body     []byte
	first    int // where the first event begins
	ids      []uuid.UUID
	chance   *rand.PCG
}

func newRequest(t *template, batch int) *request {
	r := &request{template: t, ids: make([]uuid.UUID, batch), chance: rand.NewPCG(rand.Uint64(), rand.Uint64())}
	if batch == 1 {
		r.body = append(r.body, t.text...)
		return r
	}
	r.first = 1
	for i := range batch {
		separator := byte(',')
		if i == 0 {
			separator = '['
		}
		r.body = append(append(r.body, separator), t.text...)
	}
	r.body = append(r.body, ']')
	return r
}

// renew gives every event an id of its own.
func (r *request) renew(now time.Time) {
	at := r.first
	for i := range r.ids {
		r.ids[i] = newID(now, r.chance.Uint64())
		r.template.fill(r.body[at:], r.ids[i])
		at += r.template.size() + 1
	}
}
