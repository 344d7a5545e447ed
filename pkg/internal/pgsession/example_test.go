package pgsession_test

import (
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
