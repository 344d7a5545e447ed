package cmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/store"
)

func newMigrate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Migrate the database schema, or show its version",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMigrateUp(), newMigrateDown(), newMigrateStatus())
	return cmd
}

func newMigrateUp() *cobra.Command {
	return migration(&cobra.Command{
		Use:   "up",
		Short: "Apply the migrations that are missing",
		Long: `Apply the migrations that are missing. It is safe to run twice, by two at
once, and again after a crash: one waits for the other, and a migration is
applied as a whole or not at all.`,
	}, func(cmd *cobra.Command, db *store.Store, _ string) error {
		applied, err := db.MigrateUp(cmd.Context())
		if err != nil {
			return err
		}
		return said(cmd.OutOrStdout(), "applied", applied, "the schema is up to date")
	})
}

func newMigrateDown() *cobra.Command {
	var yes bool
	cmd := migration(&cobra.Command{
		Use:   "down",
		Short: "Roll back the migrations applied last, with the data in their tables",
	}, func(cmd *cobra.Command, db *store.Store, where string) error {
		if !yes {
			ok, err := confirm(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr(),
				fmt.Sprintf("This rolls back the migrations applied last in %s, and deletes what is in the tables they created.\nType yes to go on: ", where))
			if err != nil || !ok {
				return fmt.Errorf("nothing was changed: not confirmed (--yes confirms without asking)")
			}
		}
		undone, err := db.MigrateDown(cmd.Context())
		if err != nil {
			return err
		}
		return said(cmd.OutOrStdout(), "rolled back", undone, "there is nothing to roll back")
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	return cmd
}

func newMigrateStatus() *cobra.Command {
	return migration(&cobra.Command{
		Use:   "status",
		Short: "Show which migrations are applied",
	}, func(cmd *cobra.Command, db *store.Store, _ string) error {
		all, err := db.MigrateStatus(cmd.Context())
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "MIGRATION\tCOMMENT\tAPPLIED")
		for _, m := range all {
			applied := "no"
			if !m.AppliedAt.IsZero() {
				applied = m.AppliedAt.UTC().Format("2006-01-02 15:04:05Z")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", m.Name, m.Comment, applied)
		}
		return w.Flush()
	})
}

// migration completes cmd into one that runs do on the configured database.
func migration(cmd *cobra.Command, do func(cmd *cobra.Command, db *store.Store, where string) error) *cobra.Command {
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		loaded, err := load(cmd, config.Migrate)
		if err != nil {
			return err
		}
		c := loaded.Config
		db, err := store.Open(c.Database, loggerOf(cmd, c.Log), prometheus.NewRegistry())
		if err != nil {
			return usageError{err}
		}
		defer func() {
			if closeErr := db.Close(); err == nil {
				err = closeErr
			}
		}()
		where := ""
		for _, e := range loaded.Entries() {
			if e.Key == "database.url" {
				where = e.Value
			}
		}
		return do(cmd, db, where)
	}
	config.AddFlags(cmd.Flags(), config.Migrate)
	return cmd
}

func said(w io.Writer, verb string, names []string, nothing string) error {
	if len(names) == 0 {
		_, err := fmt.Fprintln(w, nothing)
		return err
	}
	for _, n := range names {
		if _, err := fmt.Fprintln(w, verb, n); err != nil {
			return err
		}
	}
	return nil
}

// confirm asks and returns whether the answer was yes. The end of ctx is a no.
func confirm(ctx context.Context, in io.Reader, out io.Writer, question string) (bool, error) {
	if _, err := fmt.Fprint(out, question); err != nil {
		return false, err
	}
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		return strings.EqualFold(strings.TrimSpace(line), "yes"), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
