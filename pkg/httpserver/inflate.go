package httpserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// inflater decompresses bodies that are wholly in memory, as many at once as
// there are processors: a body that is inflated waits for nobody, so more at
// once would only hold more memory. What is being inflated is not on any
// budget; it is at most that many bodies.
type inflater struct {
	limit int64
	turns chan struct{}
	gzip  sync.Pool // of *gzip.Reader
	zstd  *zstd.Decoder
}

func newInflater(limit int64) *inflater {
	n := runtime.GOMAXPROCS(0)
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(n), zstd.WithDecoderMaxMemory(uint64(limit)))
	if err != nil {
		panic("httpserver: options of zstd: " + err.Error()) // only an option can fail
	}
	f := &inflater{limit: limit, turns: make(chan struct{}, n), zstd: decoder}
	f.gzip.New = func() any { return new(gzip.Reader) }
	return f
}

// inflate appends the decompressed src to dst. It returns a [*Problem] when
// src is corrupt or holds more than the limit.
func (f *inflater) inflate(ctx context.Context, c coding, src, dst []byte) ([]byte, error) {
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-ctx.Done():
		return dst, fmt.Errorf("wait to decompress: %w", context.Cause(ctx))
	}
	var err error
	if c == zstandard {
		dst, err = f.zstd.DecodeAll(src, dst)
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
			err = errBodyTooLarge
		}
	} else {
		dst, err = f.gunzip(src, dst)
	}
	switch {
	case errors.Is(err, errBodyTooLarge):
		err = &Problem{
			Status: http.StatusRequestEntityTooLarge,
			Detail: fmt.Sprintf("the request body is larger than %d bytes when decompressed", f.limit),
		}
	case err != nil:
		err = &Problem{
			Status: http.StatusBadRequest,
			Detail: "the request body is not valid " + c.String() + ", which Content-Encoding says it is",
			Err:    err,
		}
	}
	return dst, err
}

func (f *inflater) gunzip(src, dst []byte) ([]byte, error) {
	zr := f.gzip.Get().(*gzip.Reader)
	defer func() {
		// A reader in the pool must not hold on to the body.
		_ = zr.Reset(bytes.NewReader(nil))
		f.gzip.Put(zr)
	}()
	if err := zr.Reset(bytes.NewReader(src)); err != nil {
		return dst, err
	}
	return readUpTo(f.limit, zr, dst)
}
