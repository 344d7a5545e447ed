package ingestion

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// The answers of the API. They append their JSON themselves because the first
// two are written for every request.
type (
	// accepted answers one event.
	accepted struct {
		EventID uuid.UUID
	}
	// acceptedBatch answers a batch, in its order.
	acceptedBatch struct {
		EventIDs []uuid.UUID
	}
	// health answers the health check.
	health struct {
		Status, Redis string
	}
)

func (a accepted) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"status":"accepted","event_id":"`...)
	dst = event.AppendID(dst, a.EventID)
	return append(dst, "\"}\n"...)
}

func (a acceptedBatch) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"status":"accepted","count":`...)
	dst = strconv.AppendInt(dst, int64(len(a.EventIDs)), 10)
	dst = append(dst, `,"event_ids":[`...)
	for i, id := range a.EventIDs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = event.AppendID(dst, id)
		dst = append(dst, '"')
	}
	return append(dst, "]}\n"...)
}

func (h health) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"status":`...)
	dst, _ = jsontext.AppendQuote(dst, h.Status)
	dst = append(dst, `,"redis":`...)
	dst, _ = jsontext.AppendQuote(dst, h.Redis) // makes UTF-8 of what is not
	return append(dst, "}\n"...)
}
