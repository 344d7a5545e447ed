package event

// The names of the fields under which an event travels on the stream. They
// are the contract with every consumer of it.
const (
	FieldID        = "event_id"
	FieldType      = "event_type"
	FieldSource    = "source"
	FieldTimestamp = "timestamp"
	FieldPayload   = "payload"
	FieldMetadata  = "metadata"
)
