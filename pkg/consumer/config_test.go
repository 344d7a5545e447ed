package consumer_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/consumer"
)

func TestConfig_ValidateNamesTheKey(t *testing.T) {
	c := consumer.DefaultConfig()
	require.NoError(t, c.Validate())
	c.BatchSize, c.Concurrency, c.Block = 0, 100, 0
	err := c.Validate()
	for _, key := range []string{"worker.batch_size", "worker.concurrency", "worker.block"} {
		require.ErrorContains(t, err, key)
	}
}
