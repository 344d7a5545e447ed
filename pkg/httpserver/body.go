package httpserver

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"unsafe"
)

// maxKept is the largest scratch buffer worth keeping for the next request.
const maxKept = 1 << 20

// errBodyTooLarge and errBusy end the reading of a body.
var (
	errBodyTooLarge = errors.New("body too large")
	errBusy         = errors.New("too many bytes of bodies held")
)

// bodies reads request bodies of up to limit bytes. Its methods may be called
// concurrently.
type bodies struct {
	limit   int64
	inflate *inflater
	scratch sync.Pool // of *[]byte
}

func newBodies(limit int64) *bodies {
	b := &bodies{limit: limit, inflate: newInflater(limit)}
	b.scratch.New = func() any { return new([]byte) }
	return b
}

// ReadBody returns the request's body as text, decompressed as its
// Content-Encoding says and within the route's limit. It counts the request and
// its bytes as in flight until the handler returns; the text may be kept for
// longer.
//
// The error is for [WriteError]. w must be, or wrap, the one that a mounted
// handler was called with, and ReadBody is called once.
func ReadBody(w http.ResponseWriter, r *http.Request) (string, error) {
	own := responseOf(w)
	if own == nil {
		return "", errors.New("httpserver: ReadBody with the ResponseWriter of another server")
	}
	s := own.server
	if !s.inFlight.acquire(1) {
		return "", &Problem{Status: http.StatusServiceUnavailable, Detail: "too many requests are in progress"}
	}
	own.admitted = true
	text, err := own.route.bodies.read(r, own.rawBody(), &own.held)
	if err != nil {
		return "", err
	}
	own.consumed = true
	s.metrics.bodyBytes.Add(float64(len(text)))
	return text, nil
}

// read returns r's body, which it reads from src, as text. The bytes it holds
// are on held: of what is announced no more than arrives, or a few connections
// that announce much and send nothing would keep everybody else out.
func (b *bodies) read(r *http.Request, src io.Reader, held *lease) (string, error) {
	coding, err := codingOf(r.Header)
	if err != nil {
		return "", err
	}
	switch {
	case r.ContentLength == 0:
		return "", nil
	case r.ContentLength > b.limit:
		return "", b.failed(errBodyTooLarge)
	case r.ContentLength > 0 && coding == identity:
		text, err := exact(src, r.ContentLength, held)
		return text, b.failed(err)
	}

	sent := b.scratch.Get().(*[]byte)
	defer b.keep(sent)
	if *sent, err = readUpTo(b.limit, metered{src, held}, (*sent)[:0]); err != nil {
		return "", b.failed(err)
	}
	if coding == identity {
		return string(*sent), nil
	}

	plain := b.scratch.Get().(*[]byte)
	defer b.keep(plain)
	if *plain, err = b.inflate.inflate(r.Context(), coding, *sent, (*plain)[:0]); err != nil {
		return "", b.failed(err)
	}
	held.release() // what was sent is done with
	if !held.acquire(int64(len(*plain))) {
		return "", b.failed(errBusy)
	}
	return string(*plain), nil
}

// firstBuffer is how much of an announced body is allocated at once.
const firstBuffer = 64 << 10

// exact reads n bytes, which the sender announced, and makes them a string
// without copying them, unless there are so many that the buffer grows by and
// by.
func exact(r io.Reader, n int64, held *lease) (string, error) {
	buf := make([]byte, min(n, firstBuffer))
	for read := int64(0); ; {
		if !held.acquire(int64(len(buf)) - read) {
			return "", errBusy
		}
		if _, err := io.ReadFull(r, buf[read:]); err != nil {
			if err == io.EOF && read > 0 {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
		if read = int64(len(buf)); read == n {
			break
		}
		larger := make([]byte, min(n, 4*read))
		copy(larger, buf)
		buf = larger
	}
	// Valid because nobody writes to buf any more: it was made here, ReadFull
	// has returned, and a body does not keep the buffers it fills.
	return unsafe.String(unsafe.SliceData(buf), len(buf)), nil
}

// keep puts a scratch buffer back, unless it has grown out of proportion.
func (b *bodies) keep(buf *[]byte) {
	if cap(*buf) <= maxKept {
		b.scratch.Put(buf)
	}
}

// failed turns what ended the reading of a body into its answer; nil stays
// nil.
func (b *bodies) failed(err error) error {
	if err == nil {
		return nil
	}
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, errBusy):
		return &Problem{Status: http.StatusServiceUnavailable, Detail: "too many bytes are being received at once", Err: err}
	case errors.Is(err, errBodyTooLarge):
		p = tooLarge(b.limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		p = &Problem{Status: http.StatusRequestTimeout, Detail: "the request body did not arrive in time"}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		p = &Problem{Status: http.StatusBadRequest, Detail: "the request body ended before it was complete"}
	default:
		p = &Problem{Status: http.StatusBadRequest, Detail: "the request body's chunked encoding is malformed"}
	}
	// The rest of the body is still to come, or never will.
	p.close, p.Err = true, err
	return p
}

// readUpTo appends all of r to dst, errBodyTooLarge when that makes dst longer
// than limit bytes.
func readUpTo(limit int64, r io.Reader, dst []byte) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, make([]byte, max(512, cap(dst)))...)[:len(dst)]
		}
		// One byte over the limit tells too much from just enough.
		n, err := r.Read(dst[len(dst):min(int64(cap(dst)), limit+1)])
		dst = dst[:len(dst)+n]
		switch {
		case int64(len(dst)) > limit:
			return dst, errBodyTooLarge
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

// metered counts what it reads, as it reads it.
type metered struct {
	io.Reader
	held *lease
}

// Read implements [io.Reader].
func (m metered) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if !m.held.acquire(int64(n)) {
		return 0, errBusy
	}
	return n, err
}
