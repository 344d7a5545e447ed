package httpserver

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// show answers with the path's parameters.
func show(w http.ResponseWriter, r *http.Request) error {
	WriteJSON(w, http.StatusOK, fmt.Appendf(nil, "%q %q", r.PathValue("id"), r.PathValue("part")))
	return nil
}

func TestMount_PathValues(t *testing.T) {
	r := startMounted(t, func(s *Server) {
		s.Mount("GET /things/{id}", HandlerFunc(show))
		s.Mount("DELETE /things/{id}", HandlerFunc(show))
		s.Mount("GET /things/{id}/parts/{part}", HandlerFunc(show))
		s.Mount("GET /things/new", HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			WriteJSON(w, http.StatusOK, []byte("new"))
			return nil
		}))
	})
	for path, want := range map[string]string{
		"/things/1":             `"1" ""`,
		"/things/a%2Fb%20c":     `"a/b c" ""`,
		"/things/1/parts/2":     `"1" "2"`,
		"/things/new":           "new",
		"/things/%C3%A9?part=x": `"é" ""`,
	} {
		a := r.do(t, "GET", path, nil)
		require.Equal(t, want, a.body, path)
		require.Equal(t, http.StatusOK, r.do(t, "HEAD", path, nil).StatusCode)
	}
	require.Equal(t, http.StatusOK, r.do(t, "DELETE", "/things/1", nil).StatusCode)
	a := r.do(t, "PUT", "/things/1", nil)
	requireProblem(t, a, http.StatusMethodNotAllowed)
	require.Contains(t, a.Header.Get("Allow"), "DELETE")
	requireProblem(t, r.do(t, "GET", "/things", nil), http.StatusNotFound)
	requireProblem(t, r.do(t, "GET", "/things/1/2", nil), http.StatusNotFound)

	requests := r.metrics.requests
	require.EqualValues(t, 7, valueOf(t, requests.WithLabelValues("/things/{id}", "200")), "the pattern is the label")
	require.EqualValues(t, 1, valueOf(t, requests.WithLabelValues("/things/{id}", "405")))
	require.EqualValues(t, 2, valueOf(t, requests.WithLabelValues("none", "404")))
	require.Contains(t, r.log.String(), "route=/things/{id}/parts/{part}")
}

func TestMount_PanicsOnWhatCannotBeMounted(t *testing.T) {
	s, err := New(testConfig(), quiet(), newRegistry())
	require.NoError(t, err)
	s.Mount("GET /a", HandlerFunc(show))
	for _, pattern := range []string{"", "/a", "GET", "GET a", "GET /{}", "GET /{a", "GET /a"} {
		require.Panics(t, func() { s.Mount(pattern, HandlerFunc(show)) }, pattern)
	}
}

func TestBodyLimit_HoldsForItsRoute(t *testing.T) {
	read := HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		body, err := ReadBody(w, r)
		if err == nil {
			WriteJSON(w, http.StatusOK, []byte(body))
		}
		return err
	})
	raw := HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			WriteJSON(w, http.StatusOK, body)
		}
		return err
	})
	r := startMounted(t, func(s *Server) {
		s.Mount("POST /small", read, BodyLimit(10))
		s.Mount("POST /large", read)
		s.Mount("POST /raw", raw, BodyLimit(10))
	})
	ten, eleven := strings.Repeat("x", 10), strings.Repeat("x", 11)
	for _, path := range []string{"/small", "/raw"} {
		require.Equal(t, ten, r.do(t, "POST", path, strings.NewReader(ten)).body)
		requireProblem(t, r.do(t, "POST", path, strings.NewReader(eleven)), http.StatusRequestEntityTooLarge)
		requireProblem(t, r.do(t, "POST", path, io.MultiReader(strings.NewReader(eleven))), http.StatusRequestEntityTooLarge)
	}
	requireProblem(t, r.do(t, "POST", "/small", strings.NewReader(gzipOf(t, eleven)), "Content-Encoding", "gzip"), http.StatusRequestEntityTooLarge)
	require.Equal(t, eleven, r.do(t, "POST", "/large", strings.NewReader(eleven)).body)
}

func TestPanic_InTheMiddleOfAnAnswerCutsIt(t *testing.T) {
	r := startMounted(t, func(s *Server) {
		s.Mount("GET /defect", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic("a defect")
		}))
		s.Mount("GET /abort", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	})
	res, err := http.Get(r.url("/defect"))
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "half", string(body))
	eventually(t, func() bool { return strings.Contains(r.log.String(), "a defect") }, "logged")

	_, err = http.Get(r.url("/abort"))
	require.ErrorIs(t, err, io.EOF)
}

func TestWriteError_OutsideAServer(t *testing.T) {
	w := &recorder{header: http.Header{}}
	WriteError(w, &http.Request{Header: http.Header{}}, &Problem{Status: http.StatusServiceUnavailable, Detail: "later"})
	require.Equal(t, http.StatusServiceUnavailable, w.status)
	require.Equal(t, "1", w.header.Get("Retry-After"))
	require.Contains(t, w.body.String(), `"detail":"later"`)
	_, err := ReadBody(w, &http.Request{})
	require.Error(t, err)
}

// recorder is a ResponseWriter that is no server's.
type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }
