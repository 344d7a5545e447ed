package cmd

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/app"
	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/deadletter"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

func newDLQ() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "List, mend, replay and purge dead letters",
		Long: `List, mend, replay and purge dead letters, the events that cannot be stored as
they are. Replaying puts them back on the stream; purging removes them for good.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDLQList(), newDLQShow(), newDLQReplay(), newDLQPurge())
	return cmd
}

func newDLQList() *cobra.Command {
	var s deadletter.Selection
	var output string
	cmd := withDeadLetters(&cobra.Command{
		Use:   "list",
		Short: "List dead letters, the oldest first, without payload and metadata",
		Args:  cobra.NoArgs,
	}, &output, []string{"table", "json"}, func(cmd *cobra.Command, letters *deadletter.Service, _ []string) error {
		out, header := cmd.OutOrStdout(), true
		write := func(page []stream.DeadLetter) error {
			err := writeDeadLetterTable(out, page, header)
			header = false
			return err
		}
		if output == "json" {
			write = func(page []stream.DeadLetter) error { return writeDeadLetterLines(out, page) }
		}
		return letters.Each(cmd.Context(), s, nil, write)
	})
	addFilters(cmd, &s)
	return cmd
}

func newDLQShow() *cobra.Command {
	var output string
	return withDeadLetters(&cobra.Command{
		Use:   "show ID",
		Short: "Show one dead letter, payload and metadata included",
		Args:  exactly("ID of a dead letter"),
	}, &output, []string{"text", "json"}, func(cmd *cobra.Command, letters *deadletter.Service, args []string) error {
		letter, err := letters.Get(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if output == "json" {
			return writeDeadLetterJSON(cmd.OutOrStdout(), letter)
		}
		return writeDeadLetter(cmd.OutOrStdout(), letter)
	})
}

// withDeadLetters completes cmd into one that runs do on the dead letters that are
// configured, with an output that is one of the choices.
func withDeadLetters(cmd *cobra.Command, output *string, choices []string, do func(*cobra.Command, *deadletter.Service, []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := oneOf("output", *output, choices); err != nil {
			return err
		}
		loaded, err := load(cmd, config.DeadLetters)
		if err != nil {
			return err
		}
		c := loaded.Config
		letters, closeAll, err := app.OpenDeadLetters(c, loggerOf(cmd, c.Log))
		if err != nil {
			return usageError{err}
		}
		defer closeAll()
		return do(cmd, letters, args)
	}
	cmd.Flags().StringVarP(output, "output", "o", choices[0], fmt.Sprintf("%s or %s", choices[0], choices[1]))
	config.AddFlags(cmd.Flags(), config.DeadLetters)
	return cmd
}

// addFilters adds the flags that make a selection.
func addFilters(cmd *cobra.Command, s *deadletter.Selection) {
	f := cmd.Flags()
	f.StringVar(&s.Type, "type", "", "only events of this event_type")
	f.StringVar(&s.Source, "source", "", "only events of this source")
	f.StringVar(&s.Reason, "reason", "", "only with this reason (unreadable, rejected, dropped) or SQLSTATE")
	f.StringVar(&s.Group, "group", "", "only of this consumer group")
	f.Var((*age)(&s.OlderThan), "older-than", "only events dead-lettered longer ago than this: 90m, 12h, 7d")
	f.Var((*age)(&s.NewerThan), "newer-than", "only events dead-lettered since: 90m, 12h, 7d")
	f.Int64Var(&s.Limit, "limit", 0, "at most so many, the oldest first; 0 is no limit")
}

// exactly accepts one argument, and otherwise says which is missing.
func exactly(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("name one %s: %s", what, cmd.UseLine())}
		}
		return nil
	}
}

// age is a duration that may be given in days.
type age time.Duration

func (a *age) String() string {
	if *a == 0 {
		return ""
	}
	return time.Duration(*a).String()
}

func (a *age) Set(text string) error {
	var days float64
	var rest string
	if n, _ := fmt.Sscanf(text, "%f%s", &days, &rest); n == 2 && rest == "d" {
		*a = age(days * 24 * float64(time.Hour))
	} else if d, err := time.ParseDuration(text); err == nil {
		*a = age(d)
	} else {
		return fmt.Errorf("must be a duration such as 90m, 12h or 7d")
	}
	if *a <= 0 {
		return fmt.Errorf("must be more than 0")
	}
	return nil
}

func (a *age) Type() string { return "duration" }
