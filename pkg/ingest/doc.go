// Package ingest turns request bodies into valid events and hands them to a
// [Publisher].
package ingest
