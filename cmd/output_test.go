package cmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/logwriter"
)

func TestOutput_ReaderGoneEndsQuietly(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	defer w.Close()
	for _, args := range [][]string{{"version"}, {"config"}, {"config", "-o", "yaml"}, {"config", "-o", "json"}} {
		var errs bytes.Buffer
		code := execute(t.Context(), args, strings.NewReader(""), output{t.Context(), w}, &errs)
		require.Equal(t, exitReaderGone, code, args)
		require.Empty(t, errs.String(), args)
	}
}

func TestOutput_ReaderGoneHidesNoOtherError(t *testing.T) {
	var errs bytes.Buffer
	report(&errs, errors.Join(errors.New("Redis cannot be reached"), errReaderGone))
	require.Equal(t, "Error: Redis cannot be reached\n", errs.String())
}

func TestOutput_BlockedWriteEndsAfterTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe() // a write waits for its reader
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		began := time.Now()
		_, err := output{ctx, w}.Write([]byte("a result"))
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, time.Hour+outputGrace, time.Since(began)) // synctest's clock
		require.NoError(t, r.Close())
	})
}

func TestOutput_ResultIsStillWrittenAfterTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	n, err := output{ctx, &out}.Write([]byte("a result"))
	require.NoError(t, err)
	require.Equal(t, 8, n)
	require.Equal(t, "a result", out.String())
}

// What a command has logged stands before the error that it ends with.
func TestExecute_ErrorFollowsTheLog(t *testing.T) {
	var out bytes.Buffer
	stderr := logwriter.New(&out, logwriter.DefaultLimit)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code := execute(ctx, []string{"serve", "--http.addr", "127.0.0.1:0", "--admin.addr", "203.0.113.1:1", "--spool.dir", "", "--redis.url", "redis://127.0.0.1:1"},
		strings.NewReader(""), io.Discard, stderr)
	require.Equal(t, exitError, code)
	require.True(t, stderr.Close(time.Minute))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Contains(t, lines[len(lines)-1], "Error: ", out.String())
	require.Contains(t, lines[len(lines)-1], "admin.addr", out.String())
}
