package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/stream"
)

func TestWarnOfDataLoss_OnceRedisAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		calls := 0
		warnOfDataLoss(t.Context(), func(context.Context) (stream.Info, error) {
			if calls++; calls < 4 {
				return stream.Info{}, errors.New("away")
			}
			return stream.Info{Server: stream.ServerInfo{Available: true, SettingsAvailable: true, Version: "7.0.15", MaxMemoryPolicy: "noeviction"}}, nil
		}, slog.New(slog.NewTextHandler(&out, nil)))
		require.Equal(t, 4, calls)
		require.Equal(t, 1, strings.Count(out.String(), "Redis may lose accepted events"), out.String())
		require.Contains(t, out.String(), "appendonly yes")
	})
}

func TestWarnOfDataLoss_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	warnOfDataLoss(ctx, func(context.Context) (stream.Info, error) {
		cancel()
		return stream.Info{}, errors.New("away")
	}, quiet())
}
