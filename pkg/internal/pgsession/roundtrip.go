package pgsession

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"time"
)

// drainTimeout is how long the server is listened to after it stopped
// listening.
const drainTimeout = time.Second

// RawConn is a connection of a pool that lends what the driver made: *sql.Conn.
type RawConn interface {
	Raw(func(driverConn any) error) error
}

// roundTrip sends messages and reads the answer, on the session under conn, for
// as long as ctx lives. The two happen at the same time: the server may answer,
// and at length, before it has read everything. Unless receive reports that the
// server is ready for the next statement, the connection is closed.
func roundTrip(ctx context.Context, conn RawConn, send func(*messageWriter) error, receive func(*messageReader) (ready bool, err error)) error {
	return conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*session)
		if !ok {
			return fmt.Errorf("unexpected connection type %T", driverConn)
		}
		done := c.watch(ctx)
		return done(c.roundTrip(send, receive))
	})
}

func (c *session) roundTrip(send func(*messageWriter) error, receive func(*messageReader) (ready bool, err error)) error {
	socket := c.Conn.Conn()
	var deadline time.Time
	if c.timeout > 0 {
		deadline = time.Now().Add(c.timeout)
	}
	if err := socket.SetDeadline(deadline); err != nil {
		_ = c.Close()
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- c.send(socket, send) }()
	if c.reader == nil {
		c.reader = newMessageReader(socket)
	}
	ready, err := receive(c.reader)
	if !ready || c.reader.r.Buffered() > 0 {
		// What is left over belongs to nobody: the driver would not see it.
		_ = c.Close()
	}
	if sendErr := <-sent; sendErr != nil {
		_ = c.Close()
		err = cmp.Or(err, sendErr)
	}
	return err
}

func (c *session) send(socket net.Conn, send func(*messageWriter) error) error {
	w := messageWriter{socket: socket, buf: c.buf[:0]}
	err := send(&w)
	if err == nil {
		err = w.flush()
	}
	if err != nil {
		// What the server said before it hung up can still be read.
		_ = socket.SetReadDeadline(time.Now().Add(drainTimeout))
	}
	if cap(w.buf) <= 2*flushSize { // kept for the next time, unless it is more than usual
		c.buf = w.buf
	}
	return err
}
