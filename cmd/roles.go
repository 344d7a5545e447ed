package cmd

import (
	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/app"
	"github.com/eventpulse/eventpulse/pkg/config"
)

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Accept events over HTTP and put them on the stream",
		Long: `Accept events over HTTP and put them on the stream.

An event is answered 202 once Redis has it, or, while Redis is away, once it is
synced to the spool on disk. Run as many as the load needs, each with a spool of
its own. The first SIGTERM, SIGHUP or Ctrl-C drains, a second one ends the
process at once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := load(cmd, config.Serve)
			if err != nil {
				return err
			}
			role, err := app.NewServe(loaded.Config, loggerOf(cmd, loaded.Config.Log), instrumentsOf(cmd)...)
			if err != nil {
				return err
			}
			return role.Run(cmd.Context())
		},
	}
	config.AddFlags(cmd.Flags(), config.Serve)
	return cmd
}

func newWork() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "work",
		Short: "Store the events of the stream in the database",
		Long: `Store the events of the stream in the database.

An event is acknowledged after the commit that holds it. Run as many as the
load needs: they share the stream. The first SIGTERM, SIGHUP or Ctrl-C finishes
the batches in progress, a second one ends the process at once, which loses
nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := load(cmd, config.Work)
			if err != nil {
				return err
			}
			limitMemory(loaded.Config.Worker)
			role, err := app.NewWork(loaded.Config, loggerOf(cmd, loaded.Config.Log), instrumentsOf(cmd)...)
			if err != nil {
				return err
			}
			return role.Run(cmd.Context())
		},
	}
	config.AddFlags(cmd.Flags(), config.Work)
	return cmd
}
