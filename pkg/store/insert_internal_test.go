package store

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestDistinct_KeepsTheFirstOfEachID(t *testing.T) {
	id := func(n byte) uuid.UUID { return uuid.UUID{3: n} }
	events := []event.Event{{ID: id(3)}, {ID: id(1), Type: "first"}, {ID: id(2)}, {ID: id(1), Type: "second"}, {ID: id(3)}}
	rows := distinct(events)
	require.Len(t, rows, 3)
	require.Equal(t, []*event.Event{&events[1], &events[2], &events[0]}, rows)
}

func TestReport(t *testing.T) {
	id := func(n byte) uuid.UUID { return uuid.UUID{3: n} }
	set := func(ns ...byte) idSet {
		s := idSet{}
		for _, n := range ns {
			s[id(n)] = struct{}{}
		}
		return s
	}
	for name, c := range map[string]struct {
		ids  []byte
		left notInserted
		want event.Inserted
	}{
		"all stored":            {ids: []byte{1, 2, 3}},
		"stored before":         {ids: []byte{3, 1, 2}, left: notInserted{duplicates: set(1)}, want: event.Inserted{Duplicates: []int{1}}},
		"repeated":              {ids: []byte{3, 1, 3, 3}, want: event.Inserted{Duplicates: []int{2, 3}}},
		"repeated and before":   {ids: []byte{3, 1, 3}, left: notInserted{duplicates: set(3)}, want: event.Inserted{Duplicates: []int{0, 2}}},
		"dropped":               {ids: []byte{3, 1, 2}, left: notInserted{dropped: set(2)}, want: event.Inserted{Dropped: []int{2}}},
		"repeated and dropped":  {ids: []byte{3, 1, 3, 1}, left: notInserted{dropped: set(3)}, want: event.Inserted{Duplicates: []int{3}, Dropped: []int{0, 2}}},
		"an id of another sort": {ids: []byte{3}, left: notInserted{duplicates: set(9)}, want: event.Inserted{}},
	} {
		t.Run(name, func(t *testing.T) {
			events, seen := make([]event.Event, len(c.ids)), idSet{}
			for i, n := range c.ids {
				events[i].ID = id(n)
				seen[id(n)] = struct{}{}
			}
			require.Equal(t, c.want, report(events, len(seen), c.left))
		})
	}
}
