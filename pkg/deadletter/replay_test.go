package deadletter

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestReplay_LeavesWhatIsNoEvent(t *testing.T) {
	store := &fakeStore{}
	for n := range 230 {
		store.letters = append(store.letters, deadLetter(n))
	}
	store.letters[3] = deadLetter(3, event.FieldID, "42")
	store.cannot = store.letters[105].ID
	left := []string{store.letters[3].ID, store.letters[105].ID}
	d := serviceOf(store)

	r, err := d.Replay(t.Context(), Selection{}, true, nil)
	require.NoError(t, err)
	require.Equal(t, Replayed{DryRun: true, Matched: 230, Replayed: 229, Unreadable: 1}, r)
	require.Empty(t, store.back)

	r, err = d.Replay(t.Context(), Selection{}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Replayed{Matched: 230, Replayed: 228, Unreadable: 2}, r)
	require.Equal(t, left, idsOf(store.letters))

	r, err = d.Replay(t.Context(), Selection{}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Replayed{Matched: 2, Unreadable: 2}, r)
}

func TestReplay_MeetsNothingTwice(t *testing.T) {
	store := &fakeStore{deadLetters: true}
	for n := range 150 {
		store.letters = append(store.letters, deadLetter(n))
	}
	r, err := serviceOf(store).Replay(t.Context(), Selection{}, false, nil)
	require.NoError(t, err)
	require.EqualValues(t, 150, r.Replayed)
	require.Len(t, store.back, 150)
	require.Len(t, store.letters, 150)
}

func TestReplayAndPurge_RepeatableAfterAnError(t *testing.T) {
	unavailable := errors.New("unavailable")
	for _, takesEffect := range []bool{false, true} {
		store := &fakeStore{err: unavailable, takesEffect: takesEffect}
		for n := range 10 {
			store.letters = append(store.letters, deadLetter(n))
		}
		d := serviceOf(store)
		_, err := d.Replay(t.Context(), Selection{Limit: 5}, false, nil)
		require.ErrorIs(t, err, unavailable)
		_, err = d.Purge(t.Context(), Selection{Limit: 5}, false, nil)
		require.ErrorIs(t, err, unavailable)
		store.err = nil
		_, err = d.Replay(t.Context(), Selection{}, false, nil)
		require.NoError(t, err)
		require.Empty(t, store.letters)
		require.Len(t, store.back, map[bool]int{false: 10, true: 5}[takesEffect])
	}
}
