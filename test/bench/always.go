package main

import "context"

func alwaysSynced(_ context.Context, e *Setup) (func(context.Context, *Round) error, error) {
	goal := atLeast(0.6)
	singles := Figure{Name: "single", Unit: "events/s", Baseline: everySecond, Goal: goal}
	batches := Figure{Name: "batch", Unit: "events/s", Baseline: everySecond, Goal: goal}

	return func(ctx context.Context, r *Round) error {
		for _, c := range []struct {
			figure Figure
			post   func(ctx context.Context, appendfsync string) (posted, error)
			events float64
		}{{singles, e.postSingles, 1}, {batches, e.postBatches, batchEvents}} {
			var own, limit posted
			err := r.InTurn(
				func() (err error) { limit, err = c.post(ctx, everySecond); return err },
				func() (err error) { own, err = c.post(ctx, always); return err },
			)
			if err != nil {
				return err
			}
			r.Compare(c.figure, own.Rate*c.events, limit.Rate*c.events)
		}
		return nil
	}, nil
}
