// Package server is the HTTP edge: it owns the listeners, the limits and the
// time-outs, turns requests into calls of an [Ingester], and is the one place
// where the kind of an error becomes a status code.
//
// [Server] answers producers, [Admin] answers operators (probes, metrics,
// profiles). Both are bound first and served after, and end with the context
// they are served with: requests already taken are answered, then the
// connections are closed.
package httpserver
