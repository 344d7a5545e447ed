package main

import (
	"github.com/eventpulse/eventpulse/test/chaos/env"
)

// logFaults are what happens to whoever reads the log of serve and work. Two are
// not healed: SIGTERM at the end of the run is to be obeyed all the same.
func logFaults() []Fault {
	return []Fault{
		{
			Name: "log-reader-stalled", What: "nobody reads the log of serve and work any more, which blocks who writes it",
			Env:    pipedLogs,
			Inject: hold(eachLog((*env.Child).StallLog), eachLog((*env.Child).ResumeLog)),
			Expect: unharmed,
		},
		{
			Name: "log-reader-stalled-at-end", What: "the same, and SIGTERM comes while nobody reads",
			Env:    pipedLogs,
			Inject: hold(eachLog((*env.Child).StallLog), steps()),
			Expect: unharmed,
		},
		{
			Name: "log-reader-gone", What: "the reader of the log of serve and work goes, so that writing it fails",
			Env:    pipedLogs,
			Inject: hold(eachLog((*env.Child).HangUpLog), steps()),
			Expect: unharmed,
		},
	}
}

// pipedLogs makes every request and batch log a line.
func pipedLogs(c *env.Config) {
	c.PipedLogs = true
	c.Settings["log.level"] = "debug"
}

// eachLog does the same to the log of every process.
func eachLog(do func(*env.Child) error) step {
	return func(e *env.Environment) error {
		for _, c := range append([]*env.Child{e.Serve}, e.Workers...) {
			if err := do(c); err != nil {
				return err
			}
		}
		return nil
	}
}
