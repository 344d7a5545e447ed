// Package servers gives tests real, throw-away Redis and PostgreSQL servers
// that can be stopped, killed, frozen and started again on the same port with
// the same data.
//
// Every server listens on 127.0.0.1 only, on a port that no other run is given,
// lives in a directory of its own under /tmp, and dies with the process that
// started it, even when that is killed. A missing binary fails the test: what
// these servers decide is never skipped, except by -short, which says so.
//
// A package whose tests use [Database] calls [Main] from its TestMain.
package servers
