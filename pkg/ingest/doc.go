// Package ingest accepts events: it passes them to a [Publisher] and counts what
// became of them. What an answer to a producer waits for is its one policy, see
// [Config].
package ingest
