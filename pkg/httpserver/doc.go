// Package httpserver owns HTTP: listeners, TLS, limits, time-outs, draining,
// errors as problem documents, metrics and logs.
//
// A [Server] answers producers and other clients with the handlers that are
// mounted on it:
//
//	s, err := httpserver.New(cfg, log, reg)
//	s.Mount("GET /api/v1/things/{id}", handler, httpserver.WriteTimeout(time.Minute))
//	err = s.Serve(ctx)
//
// A handler is a plain [http.Handler]. It reads its body with [ReadBody], which
// decompresses and bounds it, answers an error with [WriteError], and is told of
// its path's parameters by [http.Request.PathValue]. [HandlerFunc] is the short
// form: a function that returns the error.
//
// An [Admin] answers operators: probes, metrics, profiles.
//
// Both are bound first and served after, and end with the context they are
// served with: requests already begun are answered, then the connections are
// closed.
package httpserver
