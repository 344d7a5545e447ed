package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/app"
	"github.com/eventpulse/eventpulse/pkg/config"
)

func newDoctor() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at Redis, the database and the spool, and say what to change",
		Long: `Look at Redis, the stream, the database and the spool, and say what to change.

Each finding is ok, a warning, a problem, or unknown where a server does not
tell. The exit code is 1 when there is a problem. Nothing is changed, and a side
that cannot be reached does not keep the others from being looked at.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, []string{"text", "json"}); err != nil {
				return err
			}
			loaded, err := load(cmd, config.Doctor)
			if err != nil {
				return err
			}
			found := app.Examine(cmd.Context(), loaded.Config, loaded.Config.Log.Logger(cmd.ErrOrStderr()))
			write := found.WriteText
			if output == "json" {
				write = found.WriteJSON
			}
			if err := write(cmd.OutOrStdout()); err != nil {
				return err
			}
			if n := found.Count(app.LevelProblem); n > 0 {
				return fmt.Errorf("problems found: %d", n)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	config.AddFlags(cmd.Flags(), config.Doctor)
	return cmd
}
