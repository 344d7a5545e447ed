package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A dial that failed answers for the next ones of its address, for a while, and
// for no other address.
func TestDialer_RemembersFailuresByAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("away")
		dialled := map[string]int{}
		var near net.Conn
		d := newDialer(func(_ context.Context, addr string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			dialled[addr]++
			if addr == "away" && dialled[addr] < 3 {
				return nil, cause
			}
			near, _ = net.Pipe()
			return near, nil
		})
		connect := func(addr string) error {
			conn, err := d.connect(t.Context(), addr, nil, nil)
			if err == nil {
				require.NoError(t, conn.Close())
			}
			return err
		}
		require.ErrorIs(t, connect("here"), errNotOpen)
		d.start()
		for range 3 {
			require.ErrorIs(t, connect("away"), cause)
			require.NoError(t, connect("here"))
		}
		require.Equal(t, map[string]int{"away": 1, "here": 3}, dialled)
		time.Sleep(redialPause + 1) // of the bubble's clock
		require.ErrorIs(t, connect("away"), cause)
		time.Sleep(redialPause + 1)
		require.NoError(t, connect("away"))
		require.NoError(t, connect("away"))
		require.Equal(t, 4, dialled["away"])
		require.Empty(t, d.conns)
	})
}
