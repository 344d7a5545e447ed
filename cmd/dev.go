package cmd

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/app"
	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/logwriter"
)

func newDev() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the whole pipeline in this process, with nothing else installed",
		Long: `Run the whole pipeline in this process, with nothing else installed: serve,
work, a Redis in memory and a SQLite database in the data directory. It is for
trying EventPulse out and for developing against it: events that are on the
stream when the process is killed are lost.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := load(cmd, config.Dev)
			if err != nil {
				return err
			}
			// What is stored is printed before it is acknowledged.
			out := logwriter.New(cmd.OutOrStdout(), logwriter.DefaultLimit)
			defer out.Close(flushTimeout)
			dev, err := app.NewDev(cmd.Context(), loaded.Config, dir, printStored(out), loggerOf(cmd, loaded.Config.Log), instrumentsOf(cmd)...)
			if err != nil {
				return err
			}
			greet(out, dev)
			defer context.AfterFunc(cmd.Context(), func() { fmt.Fprintln(out, "\nStopping: storing what was accepted …") })()
			return dev.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", "data", "directory of the database file; created when missing")
	config.AddFlags(cmd.Flags(), config.Dev)
	return cmd
}

// printStored returns an observer that prints a line for each event.
func printStored(w io.Writer) app.Observer {
	return func(events []event.Event, inserted event.Inserted) {
		for i, e := range events {
			outcome := "stored"
			if _, ok := slices.BinarySearch(inserted.Duplicates, i); ok {
				outcome = "already stored"
			} else if _, ok := slices.BinarySearch(inserted.Dropped, i); ok {
				outcome = "dropped by the database"
			}
			// One write a line: batches are printed concurrently.
			fmt.Fprintf(w, "%s  %s  %q from %q at %s\n", outcome, e.ID, e.Type, e.Source, e.Timestamp.Format(time.RFC3339Nano))
		}
	}
}

// greet says where everything is and how to post an event.
func greet(w io.Writer, dev *app.Dev) {
	api, admin := "http://"+dialable(dev.Addr()), "none"
	if addr := dev.AdminAddr(); addr != "" {
		admin = "http://" + dialable(addr) + "/readyz and /metrics"
	}
	fmt.Fprintf(w, `EventPulse is running: everything in this process, nothing else needed.

  API       %s/api/v1/events
  database  %s (SQLite)
  admin     %s

Post an event from another terminal:

  curl -i %s/api/v1/events \
    -H 'Content-Type: application/json' \
    -d '{"event_type":"page_view","source":"web","timestamp":"%s","payload":{"page":"/pricing"}}'

Every event that is stored is printed below. Ctrl-C stops.

`, api, dev.DatabasePath(), admin, api, time.Now().UTC().Format(time.RFC3339))
}
