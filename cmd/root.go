// Package cmd is the command line: it reads the configuration of a role, runs
// the role until a signal, and turns errors into an exit code.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/logwriter"
)

// The exit codes of the program.
const (
	exitOK    = 0
	exitError = 1 // something failed
	exitUsage = 2 // the command line or the configuration is wrong

	// exitReaderGone is what a shell reports of a program that SIGPIPE has
	// ended.
	exitReaderGone = 128 + 13
)

// usageError is a mistake in the command line or in the configuration.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// Execute runs the command line of this process and returns its exit code.
//
// The first SIGINT, SIGTERM or SIGHUP ends the command's context, by which a
// role drains; a second one ends the process at once. Whoever reads stdout and
// stderr can neither hold it up nor end it.
func Execute() int {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	// Go ends a program by SIGPIPE when a write to stdout or stderr finds its
	// reader gone (https://pkg.go.dev/os/signal#hdr-SIGPIPE). No log is worth
	// that; a command whose result nobody reads ends by the error instead.
	signal.Ignore(syscall.SIGPIPE)
	stderr := logwriter.New(os.Stderr, logwriter.DefaultLimit)
	defer stderr.Close(flushTimeout)
	log.SetOutput(stderr) // net/http and others log there when not told otherwise
	return execute(ctx, os.Args[1:], os.Stdin, output{ctx, os.Stdout}, stderr)
}

// untilSignal returns a context that ends with the first of the signals that
// ask the process to end. From then on signals act as if they were not handled.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	// nohup ignores SIGHUP, and that is meant to last.
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(ctx, signals...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func execute(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	report(errs, err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if errors.Is(err, errReaderGone) {
		return exitReaderGone
	}
	return exitError
}

// report prints err, one line for each of the errors it joins. That nobody reads
// the output is what they wanted, and no error to them.
func report(w io.Writer, err error) {
	if usage, ok := errors.AsType[usageError](err); ok {
		err = usage.err
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			report(w, e)
		}
		return
	}
	if !errors.Is(err, errReaderGone) {
		fmt.Fprintf(w, "Error: %v\n", err)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "eventpulse",
		Short: "Take in events over HTTP and keep them in PostgreSQL",
		Long: `EventPulse takes in JSON events over HTTP and keeps them in PostgreSQL.

serve puts events on a Redis Stream and answers 202; work stores them; migrate
owns the schema. dev runs all of it in one process, with nothing to install.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nRun '%s --help' for usage", err, cmd.CommandPath())}
	})
	root.AddCommand(newServe(), newWork(), newMigrate(), newDev(), newConfig(), newHealthcheck(), newVersion())
	root.AddCommand(newDLQ(), newDoctor(), newBench())
	return root
}

// load reads the configuration of role, with the flags of cmd.
func load(cmd *cobra.Command, role config.Role) (*config.Loaded, error) {
	loaded, err := config.Load(role, cmd.Flags())
	if err != nil {
		return nil, usageError{err}
	}
	return loaded, nil
}
