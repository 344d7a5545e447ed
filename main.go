// Command eventpulse takes in events over HTTP and keeps them in PostgreSQL.
package main

import (
	"os"

	"github.com/eventpulse/eventpulse/cmd"
)

func main() { os.Exit(cmd.Execute()) }
