package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/pgsession"
)

// insert implements backend. COPY costs PostgreSQL little more than half of
// what INSERT does, for one row as for thousands, but knows neither ON
// CONFLICT nor RETURNING: it stores all rows or fails. So ids are looked up
// first while duplicates are likely, and INSERT takes what COPY would not and
// decides what is rejected.
func (p *postgres) insert(ctx context.Context, events []*event.Event) (notInserted, error) {
	if !p.copying.possible() {
		return p.insertByInsert(ctx, events)
	}
	var known idSet
	if p.copying.duplicatesLikely() {
		var err error
		if known, err = p.lookUpFirst(ctx, events); err != nil {
			return notInserted{}, err
		}
	}
	fresh := known.without(events)
	if len(fresh) == 0 {
		return notInserted{duplicates: known}, nil
	}
	left, err := p.insertByCopy(ctx, fresh)
	if err != nil {
		return notInserted{}, err
	}
	return notInserted{duplicates: union(known, left.duplicates), dropped: left.dropped}, nil
}

// lookUpFirst returns which events are stored already. That the database will
// not say is no reason not to store; that it cannot be reached is.
func (p *postgres) lookUpFirst(ctx context.Context, events []*event.Event) (idSet, error) {
	known, err := p.existing(ctx, events)
	if err == nil {
		p.copying.lookedUp(len(known))
		return known, nil
	}
	p.copying.lookUpFailed()
	if state := pgsession.State(err); state == "" || pgsession.Transient(state) {
		return nil, err
	}
	return nil, nil
}

// insertByCopy stores events by COPY, and by INSERT where COPY will not.
func (p *postgres) insertByCopy(ctx context.Context, events []*event.Event) (notInserted, error) {
	stored, err := p.copy(ctx, events)
	if err == nil {
		p.copying.worked()
		if stored == len(events) {
			return notInserted{}, nil
		}
		p.giveUpCopy("a trigger of the table leaves rows out, and COPY does not say which", nil)
		present, err := p.existing(ctx, events)
		if err != nil {
			return notInserted{}, err
		}
		return notInserted{dropped: missing(events, present)}, nil
	}
	state := pgsession.State(err)
	switch {
	case state == "" || pgsession.Class(state) == "08":
		if !errors.Is(err, context.Canceled) && p.copying.broke() {
			p.giveUpCopy("connections break in it", err)
		}
		return notInserted{}, err
	case pgsession.Transient(state):
		return notInserted{}, err
	}
	left, insertErr := p.insertByInsert(ctx, events)
	if insertErr != nil {
		return notInserted{}, insertErr
	}
	switch pgsession.Class(state) {
	case "23":
		p.copying.metDuplicates()
	case "0A", "42":
		p.giveUpCopy("PostgreSQL rejects it here", err)
	}
	return left, nil
}

// insertByInsert stores events by INSERT, which says which of them it stored.
// The others were there before, or the database left them out.
func (p *postgres) insertByInsert(ctx context.Context, events []*event.Event) (notInserted, error) {
	stored, err := p.queryIDs(ctx, p.settings, insertStatement, insertColumns(events))
	if err != nil {
		return notInserted{}, err
	}
	rest := stored.without(events)
	if len(rest) == 0 {
		return notInserted{}, nil
	}
	present, err := p.existing(ctx, rest)
	if err != nil {
		return notInserted{}, err
	}
	return notInserted{duplicates: present, dropped: missing(rest, present)}, nil
}

// existing returns which events are stored. Their ids travel in binary: as
// text, reading them takes the server longer than looking for them.
func (p *postgres) existing(ctx context.Context, events []*event.Event) (idSet, error) {
	return p.queryIDs(ctx, "", lookUpStatement, []pgsession.Array{idColumn(events)})
}

// copy stores events by COPY and returns how many the server says it stored.
func (p *postgres) copy(ctx context.Context, events []*event.Event) (stored int, err error) {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }() // one that broke says so here once more
	return pgsession.Copy(ctx, conn, p.settings, copyStatement, copyRows(events))
}

// queryIDs runs a statement that returns ids.
func (p *postgres) queryIDs(ctx context.Context, settings, statement string, parameters []pgsession.Array) (idSet, error) {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // one that broke says so here once more
	ids := idSet{}
	err = pgsession.Query(ctx, conn, settings, statement, parameters, func(columns [][]byte) error {
		if len(columns) != 1 || len(columns[0]) != len(uuid.UUID{}) {
			return fmt.Errorf("a row of %d columns is no id", len(columns))
		}
		ids[uuid.UUID(columns[0])] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// missing returns the ids of the events that are not present.
func missing(events []*event.Event, present idSet) idSet {
	absent := idSet{}
	for _, e := range events {
		if !present.has(e.ID) {
			absent[e.ID] = struct{}{}
		}
	}
	return absent
}

func union(a, b idSet) idSet {
	if len(a) == 0 {
		return b
	}
	for id := range b {
		a[id] = struct{}{}
	}
	return a
}

// giveUpCopy stops using COPY for good.
func (p *postgres) giveUpCopy(why string, err error) {
	if p.copying.impossible.CompareAndSwap(false, true) {
		p.log.Warn("COPY does not work with this database, storing events by INSERT, which takes it about twice the work",
			"reason", why, "state", pgsession.State(err))
	}
}
