package app

import (
	"log/slog"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/deadletter"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// OpenDeadLetters returns the service for the dead letters of the stream that
// cfg names, without connecting yet, and what closes its connections.
func OpenDeadLetters(cfg config.Config, log *slog.Logger) (_ *deadletter.Service, closeAll func(), err error) {
	conn, group, err := openStream(cfg, log, nil)
	if err != nil {
		return nil, nil, err
	}
	return deadletter.New(stream.NewDeadLetters(group), cfg.Ingest.Limits), conn.Close, nil
}
