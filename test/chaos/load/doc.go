// Package load offers events to EventPulse over HTTP and remembers what
// was sent and what was answered.
//
// What an event holds follows from a seed and the event's number, so the
// memory of a million events is their ids and answers, and their content can
// still be compared value by value afterwards.
package load
