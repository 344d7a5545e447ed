package event

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON appends the event as one JSON object, as [Event.AppendFields]
// writes it: all six fields, the id in lower case, the timestamp in UTC, payload
// and metadata as they stand. A body of this text makes the same event.
func (e Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"`+FieldID+`":"`...)
	dst = AppendID(dst, e.ID)
	dst = append(dst, `","`+FieldType+`":`...)
	dst = appendQuoted(dst, e.Type)
	dst = append(dst, `,"`+FieldSource+`":`...)
	dst = appendQuoted(dst, e.Source)
	dst = append(dst, `,"`+FieldTimestamp+`":"`...)
	dst = e.Timestamp.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","`+FieldPayload+`":`...)
	dst = append(dst, e.Payload...)
	dst = append(dst, `,"`+FieldMetadata+`":`...)
	dst = append(dst, e.Metadata...)
	return append(dst, '}')
}

func appendQuoted(dst []byte, text string) []byte {
	// The error says that text is not UTF-8; what is appended is, all the same.
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}
