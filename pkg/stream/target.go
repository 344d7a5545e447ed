package stream

import (
	"context"
	"slices"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// fieldTargetGroup is the last field of an entry that is for one group alone: a
// dead letter replayed while the stream has several. Other groups acknowledge
// such an entry without handing it to a consumer. Readers that know nothing of
// it take the entry for any other: a further field is none of an event.
const fieldTargetGroup = "target_group"

// withTarget returns fields, marked to be for that group alone.
func withTarget(fields []string, group string) []string {
	fields = withoutTarget(fields)
	return append(slices.Clip(fields), fieldTargetGroup, group)
}

// withoutTarget returns fields without the mark of an earlier replay.
func withoutTarget(fields []string) []string {
	if _, marked := targetOf(fields); marked {
		return fields[:len(fields)-2]
	}
	return fields
}

// targetOf returns the group that an entry is for alone, if it is. Only the
// last field counts, so that looking costs the same for every entry.
func targetOf(fields []string) (group string, marked bool) {
	n := len(fields)
	if n < 2 || n%2 != 0 || fields[n-2] != fieldTargetGroup {
		return "", false
	}
	return fields[n-1], true
}

// skipOthers acknowledges the deliveries that are for another group and returns
// the rest, in place. One whose acknowledgement fails stays pending and is
// skipped again when it is next delivered.
func (g *Group) skipOthers(ctx context.Context, deliveries []event.Delivery) []event.Delivery {
	var own []event.Delivery
	var others []string
	for i, d := range deliveries {
		if group, marked := targetOf(d.Fields); marked && group != g.name {
			if others == nil {
				own = deliveries[:i:i]
			}
			others = append(others, d.EntryID)
		} else if others != nil {
			own = append(own, d)
		}
	}
	if others == nil {
		return deliveries
	}
	if _, err := g.xack(ctx, others); err != nil {
		g.p.conn.log.Debug("acknowledging entries for another group failed, they stay pending",
			"stream", g.p.key, "group", g.name, "entries", len(others), "error", g.failed(opAck, err))
	}
	g.metrics.skipped.Add(float64(len(others)))
	return own
}
