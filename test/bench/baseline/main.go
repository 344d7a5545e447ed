// Command limit is the least that an HTTP server in Go can do with an event:
// read it, and answer as if it were accepted. What it reaches is the limit of
// the machine that EventPulse is measured by.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const answer = `{"status":"accepted","event_id":"01900000-0000-7000-8000-000000000000"}` + "\n"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: limit host:port")
		os.Exit(2)
	}
	server := http.Server{Addr: os.Args[1], Handler: http.HandlerFunc(accept), ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}

func accept(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, answer)
}
