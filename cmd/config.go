package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/config"
)

func newConfig() *cobra.Command {
	var role, output string
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the configuration in force and where each value came from",
		Long: `Show the configuration in force and where each value came from: a flag, the
environment, a file or the default, in this order. Passwords are masked.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("role", role, config.Roles()); err != nil {
				return err
			}
			if err := oneOf("output", output, []string{"table", "yaml", "json"}); err != nil {
				return err
			}
			loaded, err := load(cmd, config.Role(role))
			if err != nil {
				return err
			}
			switch output {
			case "yaml":
				return loaded.WriteYAML(cmd.OutOrStdout())
			case "json":
				return loaded.WriteJSON(cmd.OutOrStdout())
			default:
				return loaded.WriteTable(cmd.OutOrStdout())
			}
		},
	}
	cmd.Flags().StringVar(&role, "role", string(config.Serve), "role to show: one of the commands that have settings, such as serve or work")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, yaml or json")
	config.AddFlags(cmd.Flags(), config.Serve, config.Roles()...)
	return cmd
}

// oneOf rejects a flag's value that is not among choices.
func oneOf[T ~string](flag, value string, choices []T) error {
	for _, c := range choices {
		if value == string(c) {
			return nil
		}
	}
	return usageError{fmt.Errorf("--%s is %q: must be one of %v", flag, value, choices)}
}
