package store

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCopyPolicy(t *testing.T) {
	var c copyPolicy
	require.True(t, c.possible())
	require.False(t, c.duplicatesLikely())
	c.metDuplicates()
	for range lookUps - 1 {
		c.lookedUp(0)
	}
	require.True(t, c.duplicatesLikely())
	c.lookedUp(1)
	for range lookUps {
		require.True(t, c.duplicatesLikely())
		c.lookedUp(0)
	}
	require.False(t, c.duplicatesLikely())
	c.metDuplicates()
	c.lookUpFailed()
	require.False(t, c.duplicatesLikely(), "COPY does without")

	for range maxBroken - 1 {
		require.False(t, c.broke())
	}
	require.True(t, c.broke())
	c.worked()
	require.False(t, c.broke(), "what has worked is not the reason")
}
