package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/eventpulse/eventpulse/pkg/doctor"
	"github.com/eventpulse/eventpulse/pkg/internal/retry"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// warnOfDataLoss logs once what about Redis lets accepted events be lost. It
// returns when Redis has been asked, or ctx has ended.
func warnOfDataLoss(ctx context.Context, inspect func(context.Context) (stream.Info, error), log *slog.Logger) {
	pauses := retry.Between(time.Second, time.Minute)
	for {
		attempt, cancel := context.WithTimeout(ctx, doctor.Timeout)
		info, err := inspect(attempt)
		cancel()
		if err == nil {
			for _, f := range doctor.DataLoss(info) {
				log.Warn("Redis may lose accepted events", "check", f.Check, "finding", f.Message, "remedy", f.Remedy)
			}
			return
		}
		if retry.Sleep(ctx, pauses.Next()) != nil {
			return
		}
	}
}
