// Package jsonscan scans JSON text without building anything from it.
//
// It accepts JSON as RFC 8259 has it, in valid UTF-8, and of that only what a
// PostgreSQL jsonb column stores and gives back unchanged: no duplicate names,
// no U+0000, no surrogate without its other half, no number beyond what numeric
// holds or with an exponent beyond 1000 either way
// (https://www.postgresql.org/docs/current/datatype-json.html).
//
// A decoder drives a [Scanner] over a body and takes the values that it wants as
// parts of the text. An [Object] is one that was scanned, or is still to be.
//
//	scan.go    values, objects, arrays, literals
//	text.go    strings, eight bytes at a time
//	number.go  numbers, and which of them PostgreSQL can hold
//	names.go   duplicate names
//	failure.go where and why a text is not accepted
//	object.go  objects that carry whether they were scanned
package jsonscan
