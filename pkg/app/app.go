// Package app wires the packages of one role together and runs them until its
// context ends. The command line, the end-to-end tests and the one-process
// mode all run the same code from here.
package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/eventpulse/eventpulse/pkg/httpserver"
)

// newRegistry returns a registry with what every process reports of itself.
// Each role has its own, so that two of them can live in one process.
func newRegistry() httpserver.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// An Instrument adds metrics of something that outlives the role, such as where
// its log is written, to those that the role reports.
type Instrument func(prometheus.Registerer)

// instrumented returns a new registry with what the instruments add.
func instrumented(instruments []Instrument) httpserver.Registry {
	reg := newRegistry()
	for _, register := range instruments {
		register(reg)
	}
	return reg
}

// withAdmin runs main under ctx with the admin listener around it: probes
// answer before main begins and until after it has ended, and readiness fails
// from the moment ctx ends. An admin listener that fails ends main too.
func withAdmin(ctx context.Context, admin *httpserver.Admin, log *slog.Logger, main func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, admin.Drain)()

	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	adminDone := make(chan error, 1)
	go func() {
		err := admin.Serve(adminCtx)
		if err != nil && adminCtx.Err() == nil {
			log.Error("admin listener failed, stopping", "error", err)
			cancel()
		}
		adminDone <- err
	}()

	err := main(ctx)
	stopAdmin()
	return errors.Join(err, <-adminDone)
}
