package bench

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// request is a request as it goes over the wire, made once for a connection:
// only what differs from one event to the next is written anew.
type request struct {
	form   *form
	wire   []byte
	first  int // where the first event begins
	ids    []uuid.UUID
	chance *rand.PCG
}

func newRequest(t target, f *form, batch int) *request {
	r := &request{form: f, ids: make([]uuid.UUID, batch), chance: rand.NewPCG(rand.Uint64(), rand.Uint64())}
	body := batch * f.size()
	if batch > 1 {
		body += batch + 1 // brackets, and commas between
	}
	r.wire = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: eventpulse-bench\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", t.path, t.host, body)
	r.first = len(r.wire)
	if batch == 1 {
		r.wire = append(r.wire, f.text...)
		return r
	}
	r.first++
	for i := range batch {
		separator := byte(',')
		if i == 0 {
			separator = '['
		}
		r.wire = append(append(r.wire, separator), f.text...)
	}
	r.wire = append(r.wire, ']')
	return r
}

// renew gives every event an id of its own.
func (r *request) renew(now time.Time) {
	at := r.first
	for i := range r.ids {
		r.ids[i] = newID(now, r.chance.Uint64())
		r.form.fill(r.wire[at:], r.ids[i])
		at += r.form.size() + 1
	}
}
