// Package bench measures a running EventPulse from the outside: it offers
// events over HTTP, at a fixed rate or as fast as they are answered, counts the
// answers and their latency, and can check afterwards that what was accepted
// is in the database.
package bench
