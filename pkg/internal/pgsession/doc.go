// Package pgsession is a PostgreSQL session for programs that write batches.
//
// It is built on pgdriver, the driver that bun brings, and adds what that
// driver lacks:
//
//   - A session heeds its context. A statement whose context ends is not waited
//     for: the connection is closed, and the outcome is unknown.
//   - [Copy] sends COPY … FROM STDIN in the binary format, and [Query] a
//     statement with arrays as binary parameters, each in one round trip
//     together with settings that last as long as its transaction.
//   - TLS is negotiated by the sslmode of libpq, and verify-full verifies.
//   - The settings of a session go with the start-up message. Where a connection
//     pooler refuses them the session goes without.
//   - [AsError] gives the fields of an error of the server.
//
// A [Connector] plugs into database/sql:
//
//	endpoint, err := pgsession.ParseURL("postgres://me@localhost/events?sslmode=verify-full")
//	db := sql.OpenDB(pgsession.NewConnector(pgsession.Config{Endpoint: endpoint}))
//
// The messages are those of
// https://www.postgresql.org/docs/current/protocol-message-formats.html and
// their order is that of https://www.postgresql.org/docs/current/protocol-flow.html .
package pgsession
