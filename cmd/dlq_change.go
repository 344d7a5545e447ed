package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/deadletter"
)

// progressThrottle is how often the bar is drawn at most: work that takes less
// shows none.
const progressThrottle = 100 * time.Millisecond

func newDLQReplay() *cobra.Command {
	var s deadletter.Selection
	var output string
	var sets []string
	var dryRun bool
	cmd := withDeadLetters(&cobra.Command{
		Use:   "replay [ID...]",
		Short: "Put dead letters back on the stream, to be stored",
		Long: `Put dead letters back on the stream, to be stored: those with the IDs, or those
that the filters leave; without either all of them. Each is processed only by the
consumer group that dead-lettered it.

Each goes back in one step that takes it from the dead letters, and an event is
stored once however often it is replayed. What is not an event stays a dead
letter; --set mends one:

  eventpulse dlq replay 1767322800000-0 --set source=web --set 'payload={"a":1}'

The result must be an event that would have been accepted.`,
		Args: cobra.ArbitraryArgs,
	}, &output, []string{"text", "json"}, func(cmd *cobra.Command, letters *deadletter.Service, args []string) error {
		var err error
		if s, err = chosen(s, args); err != nil {
			return err
		}
		var result deadletter.Replayed
		if len(sets) > 0 {
			changes, problem := mending(args, sets)
			if problem != nil {
				return problem
			}
			result, err = letters.Mend(cmd.Context(), args[0], changes, dryRun)
		} else {
			progress, done := progressOn(cmd.ErrOrStderr(), "replaying")
			result, err = letters.Replay(cmd.Context(), s, dryRun, progress)
			done()
		}
		if err != nil && result.Replayed == 0 {
			return err
		}
		return errors.Join(err, writeResult(cmd.OutOrStdout(), output, result, replayText(result)))
	})
	addFilters(cmd, &s)
	cmd.Flags().StringArrayVar(&sets, "set", nil, "FIELD=VALUE to change in the dead letter with the ID; may be repeated")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be done, and change nothing")
	return cmd
}

func mending(ids, sets []string) ([]deadletter.Change, error) {
	if len(ids) != 1 {
		return nil, usageError{errors.New("--set mends one dead letter: name its ID")}
	}
	changes := make([]deadletter.Change, len(sets))
	for i, text := range sets {
		var err error
		if changes[i], err = deadletter.ParseChange(text); err != nil {
			return nil, usageError{fmt.Errorf("--set: %w", err)}
		}
	}
	return changes, nil
}

func replayText(r deadletter.Replayed) string {
	verb := "replayed"
	if r.DryRun {
		verb = "would replay"
	}
	text := fmt.Sprintf("%s %d of %d selected", verb, r.Replayed, r.Matched)
	if r.Unreadable > 0 {
		text += fmt.Sprintf("\n%d cannot be read as events and stay: eventpulse dlq show ID, then replay ID --set FIELD=VALUE, or purge", r.Unreadable)
	}
	if r.Gone > 0 {
		text += fmt.Sprintf("\n%d were replayed or removed by somebody else meanwhile", r.Gone)
	}
	return text
}

func newDLQPurge() *cobra.Command {
	var s deadletter.Selection
	var output string
	var dryRun, all, yes bool
	cmd := withDeadLetters(&cobra.Command{
		Use:   "purge [ID...]",
		Short: "Remove dead letters for good",
		Long: `Remove dead letters for good: those with the IDs, or those that the filters
leave. Without either, --all has to say that all are meant. The events in them
are lost.`,
		Args: cobra.ArbitraryArgs,
	}, &output, []string{"text", "json"}, func(cmd *cobra.Command, letters *deadletter.Service, args []string) error {
		var err error
		if s, err = chosen(s, args); err != nil {
			return err
		}
		if s.All() != all {
			return usageError{errors.New("say which: IDs, --type, --source, --reason, --group, --older-than or --newer-than, or else --all")}
		}
		if !dryRun && !yes {
			if err := confirmPurge(cmd, letters, s); err != nil {
				return err
			}
		}
		progress, done := progressOn(cmd.ErrOrStderr(), "purging")
		result, err := letters.Purge(cmd.Context(), s, dryRun, progress)
		done()
		if err != nil && result.Removed == 0 {
			return err
		}
		verb := "removed"
		if dryRun {
			verb = "would remove"
		}
		text := fmt.Sprintf("%s %d of %d selected", verb, result.Removed, result.Matched)
		return errors.Join(err, writeResult(cmd.OutOrStdout(), output, result, text))
	})
	addFilters(cmd, &s)
	cmd.Flags().BoolVar(&all, "all", false, "remove all of them")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be done, and change nothing")
	return cmd
}

func confirmPurge(cmd *cobra.Command, letters *deadletter.Service, s deadletter.Selection) error {
	progress, done := progressOn(cmd.ErrOrStderr(), "counting")
	would, err := letters.Purge(cmd.Context(), s, true, progress)
	done()
	if err != nil || would.Matched == 0 {
		return err
	}
	ok, err := confirm(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr(),
		fmt.Sprintf("This removes %d dead letters and the events in them for good.\nType yes to go on: ", would.Matched))
	if err != nil || !ok {
		return errors.New("nothing was removed: not confirmed (--yes confirms without asking)")
	}
	return nil
}

// chosen adds the IDs to a selection, which is one thing or the other.
func chosen(s deadletter.Selection, ids []string) (deadletter.Selection, error) {
	if len(ids) > 0 && (!s.All() || s.Limit != 0) {
		return s, usageError{errors.New("name IDs or filters, not both")}
	}
	s.IDs = ids
	return s, nil
}

func writeResult(w io.Writer, output string, result any, text string) error {
	if output != "json" {
		_, err := fmt.Fprintln(w, text)
		return err
	}
	return json.NewEncoder(w).Encode(result)
}

// progressOn shows the progress of a long operation when w is a terminal, until
// done is called.
func progressOn(w io.Writer, what string) (progress deadletter.Progress, done func()) {
	if !config.IsTerminal(w) {
		return nil, func() {}
	}
	var bar *progressbar.ProgressBar
	progress = func(looked, total int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(max(total, 1), progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
				progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(progressThrottle))
		}
		bar.ChangeMax64(max(total, 1))
		_ = bar.Set64(looked)
	}
	return progress, func() {
		if bar != nil {
			_ = bar.Finish()
		}
	}
}
