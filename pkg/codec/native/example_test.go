package native_test

import (
	"errors"
	"fmt"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

func ExampleParse() {
	e, err := native.Parse(`{
		"event_id": "0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e70",
		"event_type": "order.created",
		"source": "shop",
		"timestamp": "2026-03-04T05:06:07+05:30",
		"payload": {"total": 99.95}
	}`, event.DefaultLimits())
	if err != nil {
		panic(err)
	}
	fmt.Println(e.ID, e.Type, e.Timestamp)
	fmt.Println(string(e.AppendJSON(nil)))
	// Output:
	// 0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e70 order.created 2026-03-03 23:36:07 +0000 UTC
	// {"event_id":"0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e70","event_type":"order.created","source":"shop","timestamp":"2026-03-03T23:36:07Z","payload":{"total": 99.95},"metadata":{}}
}

func ExampleParseBatch_invalid() {
	_, err := native.ParseBatch(`[{"event_type": "", "source": "shop", "timestamp": "yesterday"}]`, event.DefaultLimits())
	if invalid, ok := errors.AsType[*event.Error](err); ok {
		for _, p := range invalid.Problems {
			fmt.Println(p.Pointer, p.Detail)
		}
	}
	// Output:
	// /0/event_type must not be empty
	// /0/timestamp must be an RFC 3339 date and time with an offset, such as 2026-01-02T15:04:05.678Z
}
