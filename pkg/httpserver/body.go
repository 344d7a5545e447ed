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

// errBodyTooLarge and errNoRoom end the reading of a body.
var (
	errBodyTooLarge = errors.New("body too large")
	errNoRoom       = errors.New("too many bytes of bodies held")
)

// bodies reads request bodies of up to limit bytes. Its methods may be called
// concurrently.
type bodies struct {
	limit   int64
	inflate *inflater
	scratch sync.Pool // of *[]byte
}

func newBodies(limit int64) (*bodies, error) {
	inflate, err := newInflater(limit)
	if err != nil {
		return nil, err
	}
	b := &bodies{limit: limit, inflate: inflate}
	b.scratch.New = func() any { return new([]byte) }
	return b, nil
}

// read returns r's body as text, decoded. The bytes it holds are on room: of
// what is announced no more than arrives, or a few connections that announce
// much and send nothing would keep everybody else out.
func (b *bodies) read(r *http.Request, room *lease) (string, error) {
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
		text, err := exact(r.Body, r.ContentLength, room)
		return text, b.failed(err)
	}

	wire := b.scratch.Get().(*[]byte)
	defer b.keep(wire)
	if *wire, err = readUpTo(b.limit, metered{r.Body, room}, (*wire)[:0]); err != nil {
		return "", b.failed(err)
	}
	if coding == identity {
		return string(*wire), nil
	}

	plain := b.scratch.Get().(*[]byte)
	defer b.keep(plain)
	if *plain, err = b.inflate.inflate(r.Context(), coding, *wire, (*plain)[:0]); err != nil {
		return "", b.failed(err)
	}
	room.end() // what came over the wire is done with
	if !room.take(int64(len(*plain))) {
		return "", b.failed(errNoRoom)
	}
	return string(*plain), nil
}

// firstPiece is how much of an announced body is made room for at once.
const firstPiece = 64 << 10

// exact reads n bytes, which the sender announced, and makes them a string
// without copying them, unless there are so many that room is made by and by.
func exact(r io.Reader, n int64, room *lease) (string, error) {
	buf := make([]byte, min(n, firstPiece))
	for read := int64(0); ; {
		if !room.take(int64(len(buf)) - read) {
			return "", errNoRoom
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
	// Sound because nobody writes to buf any more: it was made here, ReadFull
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
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, errNoRoom):
		return &failure{status: http.StatusServiceUnavailable, detail: "too many bytes are being received at once", cause: err}
	case errors.Is(err, errBodyTooLarge):
		f = tooLarge(b.limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		f = &failure{status: http.StatusRequestTimeout, detail: "the request body did not arrive in time"}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		f = &failure{status: http.StatusBadRequest, detail: "the request body ended before it was complete"}
	default:
		f = &failure{status: http.StatusBadRequest, detail: "the request body's chunked encoding is malformed"}
	}
	// The rest of the body is still to come, or never will.
	f.close, f.cause = true, err
	return f
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

// metered takes room for what it reads, as it reads it.
type metered struct {
	io.Reader
	room *lease
}

// Read implements [io.Reader].
func (m metered) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if !m.room.take(int64(n)) {
		return 0, errNoRoom
	}
	return n, err
}
