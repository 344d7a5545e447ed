package stream

import (
	"errors"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// errUnexpected is a reply whose shape is not the documented one.
var errUnexpected = errors.New("unexpected reply")

// unexpected wraps err, if there is one, as a reply that cannot be read.
func unexpected(command string, err error) error {
	if err == nil {
		return fmt.Errorf("%s: %w", command, errUnexpected)
	}
	return fmt.Errorf("%s: %w: %w", command, errUnexpected, err)
}

// streamEntries returns the entries of the one stream in a reply to XREADGROUP
// or XREAD, which is a map by the newer protocol and pairs by the older.
func streamEntries(command string, reply rueidis.RedisMessage) ([]event.Delivery, error) {
	if reply.IsMap() {
		streams, err := reply.AsMap()
		if err != nil {
			return nil, unexpected(command, err)
		}
		for _, entries := range streams {
			return parseEntries(command, entries)
		}
		return nil, nil
	}
	streams, err := reply.ToArray()
	if err != nil {
		return nil, unexpected(command, err)
	}
	if len(streams) == 0 {
		return nil, nil
	}
	pair, err := streams[0].ToArray()
	if err != nil || len(pair) != 2 {
		return nil, unexpected(command, err)
	}
	return parseEntries(command, pair[1])
}

// parseEntries takes a list of entries apart. It keeps field order and
// repeated fields. An entry that was deleted has an id and no fields.
func parseEntries(command string, list rueidis.RedisMessage) ([]event.Delivery, error) {
	entries, err := list.ToArray()
	if err != nil {
		return nil, unexpected(command, err)
	}
	deliveries := make([]event.Delivery, 0, len(entries))
	for i := range entries {
		if entries[i].IsNil() {
			continue // deleted, as some commands of older servers put it
		}
		entry, err := entries[i].ToArray()
		if err != nil || len(entry) != 2 {
			return nil, unexpected(command, err)
		}
		var d event.Delivery
		if d.EntryID, err = entry[0].ToString(); err != nil {
			return nil, unexpected(command, err)
		}
		if !entry[1].IsNil() {
			if d.Fields, err = entry[1].AsStrSlice(); err != nil {
				return nil, unexpected(command, err)
			}
		}
		deliveries = append(deliveries, d)
	}
	return deliveries, nil
}
