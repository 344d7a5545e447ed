package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/config"
)

func TestAPeerTakesOverFromAWorkerThatIsGone(t *testing.T) {
	p := newPipeline(t)
	serve := p.serve().ready(t)
	sent := generated()[:50]
	for _, line := range sent {
		require.Equal(t, 202, serve.post(t, single, line).status)
	}
	_, err := p.client.Do(t.Context(), p.client.B().Xreadgroup().Group("event_persister", "gone").Count(30).Streams().Key("events_stream").Id(">").Build()).ToAny()
	require.NoError(t, err)
	p.work(func(c *config.Config) {
		c.Worker.ClaimAfter, c.Worker.ConsumerExpiry = time.Second, 2*time.Second
	})
	eventually(t, "all stored", func() bool { return p.count() == len(sent) && p.pending() == 0 })
	eventually(t, "the dead consumer is removed", func() bool {
		consumers, err := p.client.Do(t.Context(), p.client.B().XinfoConsumers().Key("events_stream").Group("event_persister").Build()).ToArray()
		return err == nil && len(consumers) == 1
	})
}

func TestTheGroupComesBackAfterRedisForgotIt(t *testing.T) {
	p := newPipeline(t)
	serve, _ := p.serve().ready(t), p.work().ready(t)
	sent := generated()
	require.Equal(t, 202, serve.post(t, single, sent[0]).status)
	eventually(t, "stored", func() bool { return p.count() == 1 && p.pending() == 0 })
	require.NoError(t, p.client.Do(t.Context(), p.client.B().Flushall().Build()).Error())
	for _, line := range sent[1:] {
		require.Equal(t, 202, serve.post(t, single, line).status)
	}
	eventually(t, "all stored without a restart", func() bool { return p.count() == len(sent) })
}

func TestTheStreamIsTrimmedBehindTheGroup(t *testing.T) {
	p := newPipeline(t)
	serve, _ := p.serve().ready(t), p.work(func(c *config.Config) { c.Worker.TrimInterval = 50 * time.Millisecond }).ready(t)
	for range 5 {
		require.Equal(t, 202, serve.post(t, batch, "["+strings.Join(generated(), ",")+"]").status)
	}
	eventually(t, "all dealt with and the stream short", func() bool { return p.unread() == 0 && p.pending() == 0 && p.streamLength() < 200 })
	require.Equal(t, len(generated()), p.count())
}
