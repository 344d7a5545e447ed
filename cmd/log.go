package cmd

import (
	"bytes"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/app"
	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/logwriter"
)

// loggerOf returns the logger of cmd, on its stderr. Where lines of it are
// dropped, a line in the log's own format says how many.
func loggerOf(cmd *cobra.Command, c config.Log) *slog.Logger {
	stderr := cmd.ErrOrStderr()
	if w, ok := stderr.(*logwriter.Writer); ok {
		asLogged := config.Log{Level: "warn", Format: c.FormatFor(w)}
		w.SetNotice(func(dropped uint64) []byte {
			var line bytes.Buffer
			asLogged.Logger(&line).Warn("log lines were dropped here: nobody read them in time", "lines", dropped)
			return line.Bytes()
		})
	}
	return c.Logger(stderr)
}

// instrumentsOf are the metrics of what a role's log is written to.
func instrumentsOf(cmd *cobra.Command) []app.Instrument {
	if w, ok := cmd.ErrOrStderr().(*logwriter.Writer); ok {
		return []app.Instrument{w.Register}
	}
	return nil
}
