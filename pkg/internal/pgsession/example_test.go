package pgsession_test

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/eventpulse/eventpulse/pkg/internal/pgsession"
)

func ExampleParseURL() {
	e, err := pgsession.ParseURL("postgres://bob@db.example.com/events?sslmode=verify-full&connect_timeout=5")
	if err != nil {
		panic(err)
	}
	fmt.Println(e.Network, e.Address, e.Database, e.ConnectTimeout)
	_, err = pgsession.ParseURL("postgres://bob@db.example.com/events?sslmod=verify-full")
	fmt.Println(err)
	// Output:
	// tcp db.example.com:5432 events 5s
	// the parameter "sslmod" is not supported: there are application_name, connect_timeout, host, port, search_path, sslcert, sslkey, sslmode, sslrootcert
}

// Ten texts are stored in one round trip and one transaction.
func ExampleCopy() {
	store := func(ctx context.Context, db *sql.DB, names []string) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		_, err = pgsession.Copy(ctx, conn,
			"SELECT set_config('lock_timeout', '5s', true)",
			"COPY names (name) FROM STDIN (FORMAT binary)",
			pgsession.Rows{
				Len: len(names), Columns: 1,
				Size:   func(i int) int { return pgsession.TextSize + len(names[i]) },
				Append: func(dst []byte, i int) []byte { return pgsession.AppendText(dst, names[i]) },
			})
		return err
	}
	_ = store
}
