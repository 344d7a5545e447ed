package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestFind_ReturnsWhatIsStored(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		sent := newEvents(t, 40)
		sent[3].Timestamp = time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC)
		sent[3].Payload = `{"é":"'\"\\ ? {}","deep":[1,[2]]}`
		sent[3].Type = "it's?0"
		_, err := s.Insert(t.Context(), sent)
		require.NoError(t, err)

		ids := []uuid.UUID{uuid.Must(uuid.NewV7())} // not there
		byID := map[uuid.UUID]event.Event{}
		for _, e := range sent[:30] {
			ids = append(ids, e.ID, e.ID) // asked for twice, found once
			byID[e.ID] = e
		}
		found, err := s.Find(t.Context(), ids)
		require.NoError(t, err)
		require.Len(t, found, 30)
		for _, e := range found {
			requireSame(t, byID[e.ID], e)
			delete(byID, e.ID)
		}
		require.Empty(t, byID)

		found, err = s.Find(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, found)
		found, err = s.Find(t.Context(), ids[:1])
		require.NoError(t, err)
		require.Empty(t, found)
	})
}

func TestFind_WithoutATableIsUnavailable(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		_, err := openStore(t, url).Find(t.Context(), []uuid.UUID{uuid.Must(uuid.NewV7())})
		requireKind(t, event.KindUnavailable, err)
	})
}
