package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// web is an http.Server with a listener: bound first, served after, drained
// when its context ends.
type web struct {
	addr string
	http *http.Server
	ln   *listener
	// drainDelay passes between the end of the context and the closing of
	// the listener, shutdown bounds the two together.
	drainDelay, shutdown time.Duration
	// drain is called when the context ends.
	drain func()

	// endStreams is called when the listener is closed.
	endStreams func()

	mu    sync.Mutex
	bound bool
}

// httpServer returns an http.Server that logs to log.
func httpServer(h http.Handler, log *slog.Logger) *http.Server {
	srv := &http.Server{
		Handler:  h,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		// "OPTIONS *" is answered like everything else.
		DisableGeneralOptionsHandler: true,
	}
	attach(srv)
	return srv
}

// listen binds, once.
func (w *web) listen() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bound {
		return nil
	}
	ln, err := net.Listen("tcp", w.addr)
	if err != nil {
		return err // It names the address.
	}
	w.ln.Listener, w.bound = ln, true
	return nil
}

// boundAddr returns the address bound, "" before listen.
func (w *web) boundAddr() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.bound {
		return ""
	}
	return w.ln.Addr().String()
}

// close gives the listener up and cuts every connection.
func (w *web) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ln.forceClose.Store(true)
	if w.endStreams != nil {
		w.endStreams()
	}
	errs := []error{w.http.Close()}
	w.ln.closeHijacked()
	if w.bound {
		// Once served, the listener is closed already.
		if err := w.ln.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// serve serves until ctx ends and every request begun is answered.
func (w *web) serve(ctx context.Context) error {
	if err := w.listen(); err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- w.http.Serve(w.ln) }()

	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serve %s: %w", w.boundAddr(), err), w.close())
	case <-ctx.Done():
	}
	w.drain()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.shutdown)
	defer cancel()
	delay := time.NewTimer(w.drainDelay)
	defer delay.Stop()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serve %s: %w", w.boundAddr(), err), w.close())
	case <-delay.C:
	}

	// net/http drops a request whose headers it reads during a shutdown, so
	// that waits for the connections to become idle.
	errs := []error{w.stopAccepting()}
	if w.endStreams != nil {
		w.endStreams()
	}
	if err := <-served; !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
		errs = append(errs, fmt.Errorf("serve %s: %w", w.boundAddr(), err))
	}
	w.ln.waitIdle(grace)
	err := w.http.Shutdown(grace)
	if err == nil && w.ln.hijackedOpen() {
		err = grace.Err() // Shutdown knows nothing of those
	}
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("requests unanswered after %v, connections cut: %w", w.shutdown, err)
		}
		errs = append(errs, fmt.Errorf("shut down %s: %w", w.boundAddr(), err), w.close())
	}
	return errors.Join(errs...)
}

// stopAccepting closes the listener alone.
func (w *web) stopAccepting() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close listener: %w", err)
	}
	return nil
}
