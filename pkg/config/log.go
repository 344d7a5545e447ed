package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"
)

// Log is what is logged, and how it looks.
type Log struct {
	Level  string `config:"level" usage:"least serious level that is logged: debug, info, warn or error"`
	Format string `config:"format" usage:"form of the log: text, json, or auto for text on a terminal and json elsewhere"`
}

// DefaultLog logs from info up, in the form that suits the place.
func DefaultLog() Log { return Log{Level: "info", Format: "auto"} }

// Validate reports what is wrong with l, named by its key.
func (l Log) Validate() error {
	var errs []error
	if _, ok := l.level(); !ok {
		errs = append(errs, fmt.Errorf("log.level: must be debug, info, warn or error, is %q", l.Level))
	}
	switch strings.ToLower(l.Format) {
	case "auto", "text", "json":
	default:
		errs = append(errs, fmt.Errorf("log.format: must be auto, text or json, is %q", l.Format))
	}
	return errors.Join(errs...)
}

// Logger returns a logger that writes to w.
func (l Log) Logger(w io.Writer) *slog.Logger {
	level, _ := l.level()
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: readableDuration}
	if l.FormatFor(w) == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// FormatFor returns the format of a log that is written to w: text or json.
func (l Log) FormatFor(w io.Writer) string {
	format := strings.ToLower(l.Format)
	if format == "text" || format != "json" && IsTerminal(w) {
		return "text"
	}
	return "json"
}

// readableDuration writes a duration with its unit, where JSON would have a
// number of nanoseconds.
func readableDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return a
}

// level is info for what Validate rejects.
func (l Log) level() (slog.Level, bool) {
	switch strings.ToLower(l.Level) {
	case "debug":
		return slog.LevelDebug, true
	case "info":
		return slog.LevelInfo, true
	case "warn":
		return slog.LevelWarn, true
	case "error":
		return slog.LevelError, true
	default:
		return slog.LevelInfo, false
	}
}

// IsTerminal reports whether what is written to w is shown to somebody at once.
// A writer around another one says so by a method Unwrap.
func IsTerminal(w io.Writer) bool {
	for {
		around, ok := w.(interface{ Unwrap() io.Writer })
		if !ok {
			break
		}
		w = around.Unwrap()
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
