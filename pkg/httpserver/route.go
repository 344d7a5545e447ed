package httpserver

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Option changes what holds for one route.
type Option func(*route)

// BodyLimit bounds the bodies of a route, before and after decompression, in
// place of http.max_body_bytes.
func BodyLimit(bytes int64) Option { return func(r *route) { r.maxBody = bytes } }

// ReadTimeout bounds how long a body may take to arrive, counted from the
// headers read, in place of http.read_timeout.
func ReadTimeout(d time.Duration) Option { return func(r *route) { r.readTimeout = d } }

// WriteTimeout bounds the time from the headers read to the answer written, in
// place of http.write_timeout. On a [Streaming] route it bounds each write.
func WriteTimeout(d time.Duration) Option { return func(r *route) { r.writeTimeout = d } }

// Streaming is for answers that go on for as long as the client listens, and
// for handlers that take the connection over (RFC 9110, section 7.8). Nothing
// bounds the whole answer, but each write has to succeed within the write
// time-out. The request's context ends when the client goes, and when the server
// has stopped accepting connections in order to end; the handler must return
// then.
func Streaming() Option { return func(r *route) { r.streaming = true } }

// IgnoreHangup leaves it unnoticed when the client closes its connection while
// the handler runs: the request's context does not end then. It is for handlers
// that finish what they began in any case, and spares each of their requests a
// goroutine and two deadlines (see [conn.Read]).
func IgnoreHangup() Option { return func(r *route) { r.ignoreHangup = true } }

// route is a handler and what holds for it.
type route struct {
	method, pattern string
	handler         http.Handler
	params          []string // the names of the pattern's parameters

	maxBody                   int64
	readTimeout, writeTimeout time.Duration // 0 is the server's
	streaming, ignoreHangup   bool

	bodies  *bodies
	metrics *routeMetrics
}

// Mount makes h answer requests that match pattern: a method, a space and a
// path, in which "{name}" stands for one segment, to be had from
// [http.Request.PathValue]. GET answers HEAD as well. The path is the route's
// label in metrics and logs.
//
// Mount must be called before [Server.Serve], and panics on a pattern that is
// malformed or mounted already, as [http.ServeMux.Handle] does.
//
// The [http.ResponseWriter] that h is called with supports [http.Flusher],
// [http.Hijacker] and [http.ResponseController]. A wrapper around it must have
// the method Unwrap that http.ResponseController wants.
func (s *Server) Mount(pattern string, h http.Handler, opts ...Option) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok || method == "" || !strings.HasPrefix(path, "/") {
		panic(fmt.Sprintf("httpserver: the pattern %q is not a method, a space and a path", pattern))
	}
	r := &route{method: method, pattern: path, handler: h, maxBody: s.cfg.MaxBodyBytes}
	for _, o := range opts {
		o(r)
	}
	r.bodies = s.bodiesOf(r.maxBody)
	r.metrics = s.metrics.of(path)
	routerPath := r.routerPath()
	for _, other := range s.routes[routerPath] {
		if other.method == method {
			panic(fmt.Sprintf("httpserver: the pattern %q is mounted twice", pattern))
		}
	}
	s.routes[routerPath] = append(s.routes[routerPath], r)
	serve := func(c echo.Context) error {
		w := c.Response().Writer.(*response)
		h.ServeHTTP(w, w.request)
		return nil
	}
	s.router.Add(method, routerPath, serve)
	if method == http.MethodGet {
		s.router.Add(http.MethodHead, routerPath, serve)
	}
}

// routerPath returns the pattern as the router has it, with ":" before the
// names of parameters, and remembers these.
func (r *route) routerPath() string {
	segments := strings.Split(r.pattern, "/")
	for i, segment := range segments {
		name, ok := strings.CutPrefix(segment, "{")
		if !ok {
			continue
		}
		if name, ok = strings.CutSuffix(name, "}"); !ok || name == "" {
			panic(fmt.Sprintf("httpserver: the parameter %q of %q is malformed", segment, r.pattern))
		}
		r.params = append(r.params, name)
		segments[i] = ":" + name
	}
	return strings.Join(segments, "/")
}

// setPathValues makes the path's parameters known to req.
func (r *route) setPathValues(c echo.Context, req *http.Request) {
	for _, name := range r.params {
		value := c.Param(name)
		if req.URL.RawPath != "" {
			// The router matched what was sent, escapes and all.
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
		}
		req.SetPathValue(name, value)
	}
}

// routeOf returns the route that c was matched to. Where only the path matches
// it is one with that path, and without a match one that stands for all of
// those.
func (s *Server) routeOf(c echo.Context) *route {
	at := s.routes[c.Path()]
	if len(at) == 0 {
		return s.noRoute
	}
	method := c.Request().Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, r := range at {
		if r.method == method {
			return r
		}
	}
	return at[0]
}
