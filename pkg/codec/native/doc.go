// Package native reads events from EventPulse's own JSON: an object with the
// members event_id, event_type, source, timestamp, payload and metadata, or an
// array of such objects.
//
// Bodies are read in one pass. What is reported about them has a JSON Pointer
// (RFC 6901) to each value at fault.
package native
