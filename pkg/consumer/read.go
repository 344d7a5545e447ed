package consumer

import "github.com/eventpulse/eventpulse/pkg/event"

// page reads at most limit deliveries; more says whether others may follow at
// once.
type page func(limit int) (deliveries []event.Delivery, more bool, err error)

// gather reads a batch of about cfg.BatchSize deliveries and cfg.BatchBytes, in
// as many pages as s finds safe. It stops where nothing more is to be had at
// once. With an error, it returns what was read before.
func gather(s *sizer, cfg Config, read page) (batch []event.Delivery, more bool, err error) {
	bytes := 0
	for {
		limit := s.limit(cfg.BatchSize-len(batch), cfg.BatchBytes-bytes)
		if limit == 0 {
			if len(batch) > 0 {
				return batch, true, nil
			}
			limit = 1 // an entry larger than a batch is read alone
		}
		var got []event.Delivery
		got, more, err = read(limit)
		if err != nil {
			s.failed(limit)
			return batch, false, err
		}
		s.observe(limit, got)
		bytes += size(got)
		if more && len(batch) == 0 {
			batch = make([]event.Delivery, 0, cfg.BatchSize)
		}
		if batch = append(batch, got...); !more {
			return batch, false, nil
		}
	}
}

// size returns the bytes of all the fields of deliveries.
func size(deliveries []event.Delivery) int {
	bytes := 0
	for i := range deliveries {
		bytes += deliveries[i].Size()
	}
	return bytes
}
