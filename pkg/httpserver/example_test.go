package httpserver_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventpulse/eventpulse/pkg/httpserver"
)

// A route with a parameter, whose error becomes a problem document.
func ExampleServer_Mount() {
	cfg := httpserver.DefaultConfig()
	cfg.Addr, cfg.DrainDelay = "127.0.0.1:0", 0
	s, err := httpserver.New(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		panic(err)
	}
	s.Mount("GET /things/{id}", httpserver.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if id := r.PathValue("id"); id != "1" {
			return &httpserver.Problem{Status: http.StatusNotFound, Detail: "there is no thing " + id}
		}
		httpserver.WriteJSON(w, http.StatusOK, []byte(`{"id":1}`))
		return nil
	}))
	if err := s.Listen(); err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()

	for _, path := range []string{"/things/1", "/things/2"} {
		res, err := http.Get("http://" + s.Addr() + path)
		if err != nil {
			panic(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		fmt.Println(res.StatusCode, res.Header.Get("Content-Type"), len(body) > 0)
	}
	stop()
	fmt.Println(<-served)
	// Output:
	// 200 application/json true
	// 404 application/problem+json true
	// <nil>
}
