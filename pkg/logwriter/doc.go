// Package logwriter writes a log to a place where writing may block or fail,
// without the program that logs ever blocking or failing with it.
//
// A process does not choose who reads its stderr. A pipe whose reader has
// stopped takes 64 KiB and then blocks every write; one whose reader has gone
// fails them; a file fails on a full disk. A [Writer] stands between: a Write
// appends to a queue that is bounded in bytes, and one goroutine writes the
// queue out. What finds no space in the queue is dropped and counted, and when
// writing works again one line says how many lines are missing at that place.
//
// Docker's non-blocking mode for the logs of containers drops by the same rule:
// https://docs.docker.com/engine/logging/configure/#configure-the-delivery-mode-of-log-messages-from-container-to-log-driver
package logwriter
