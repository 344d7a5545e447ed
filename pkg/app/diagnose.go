package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/doctor"
	"github.com/eventpulse/eventpulse/pkg/spool"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// Diagnose examines what the roles depend on, as cfg names it. Connections are
// opened for it and closed again.
func Diagnose(ctx context.Context, cfg config.Config, log *slog.Logger) doctor.Report {
	from := doctor.Sources{
		Redis: func(ctx context.Context) (stream.Info, error) {
			conn, group, err := openStream(cfg, log, nil)
			if err != nil {
				return stream.Info{}, &doctor.SettingError{Setting: "redis.url", Err: err}
			}
			defer conn.Close()
			return stream.NewInspector(group.Partition()).Inspect(ctx, group.Name())
		},
		Database: func(ctx context.Context) (_ store.Info, err error) {
			db, err := store.Open(cfg.Database, log, nil)
			if err != nil {
				return store.Info{}, &doctor.SettingError{Setting: "database.url", Err: err}
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			return db.Inspect(ctx)
		},
	}
	if cfg.Spool.Dir != "" {
		from.Spool = func() (spool.Info, error) { return spool.Inspect(cfg.Spool.Dir) }
	}
	return doctor.Examine(ctx, from, doctor.Settings{Database: cfg.Database, Spool: cfg.Spool})
}
