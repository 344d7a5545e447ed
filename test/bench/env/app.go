package env

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/eventpulse/eventpulse/test/process"
	"github.com/eventpulse/eventpulse/test/servers"
)

// App is a role of EventPulse that runs, or the bare server in its place.
type App struct {
	*process.Process
	API   string        // host:port of the API, of serve
	Admin string        // host:port of probes and metrics
	Ready time.Duration // from the start of the process until it was ready
}

// Serve starts a serve on the environment's Redis, with a spool as by default.
// Settings are on top, by key.
func (r *Environment) Serve(ctx context.Context, settings map[string]string) (*App, error) {
	api, err := servers.ReserveAddr()
	if err != nil {
		return nil, err
	}
	all := map[string]string{"http.addr": api, "spool.dir": r.path("spool")}
	maps.Copy(all, settings)
	app, err := r.start(ctx, "serve", all)
	if err != nil {
		return nil, err
	}
	app.API = api
	return app, nil
}

// Work starts a work between the environment's Redis and its database.
func (r *Environment) Work(ctx context.Context, settings map[string]string) (*App, error) {
	all := map[string]string{"database.url": r.Database}
	maps.Copy(all, settings)
	return r.start(ctx, "work", all)
}

func (r *Environment) start(ctx context.Context, role string, settings map[string]string) (*App, error) {
	admin, err := servers.ReserveAddr()
	if err != nil {
		return nil, err
	}
	home := r.path(role)
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, fmt.Errorf("make directory of %s: %w", role, err)
	}
	argv := []string{r.Programs.EventPulse, role, "--admin.addr", admin, "--redis.url", r.Redis.URL()}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		argv = append(argv, "--"+key, settings[key])
	}
	begin := time.Now()
	p, err := process.Start(home, home+".log", argv...)
	if err != nil {
		return nil, err
	}
	app := &App{Process: p, Admin: admin}
	r.onClose(app.End)
	if err := app.await(ctx, "http://"+admin+"/readyz"); err != nil {
		return nil, err
	}
	app.Ready = time.Since(begin)
	return app, nil
}

// Bare starts the bare HTTP server.
func (r *Environment) Bare(ctx context.Context) (*App, error) {
	api, err := servers.ReserveAddr()
	if err != nil {
		return nil, err
	}
	p, err := process.Start(r.Dir, r.path("limit.log"), r.Programs.Baseline, api)
	if err != nil {
		return nil, err
	}
	app := &App{Process: p, API: api}
	r.onClose(app.End)
	return app, app.await(ctx, "http://"+api+"/")
}

// End ends the process, where that is not left to its environment.
func (a *App) End() error {
	if a.Process == nil {
		return nil
	}
	p := a.Process
	a.Process = nil
	return p.Stop(stopLimit)
}

// await returns once url is answered with a success, asking every 2 ms.
func (a *App) await(ctx context.Context, url string) error {
	const often, limit = 2 * time.Millisecond, time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	ticker := time.NewTicker(often)
	defer ticker.Stop()
	for {
		err := probe(ctx, &client, url)
		if err == nil {
			return nil
		}
		select {
		case <-a.Ended():
			return fmt.Errorf("it ended at once; it said:\n%s", a.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w; it said:\n%s", url, ctx.Err(), err, a.Log())
		case <-ticker.C:
		}
	}
}

func probe(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return errors.New(resp.Status)
	}
	return nil
}
