package main

import (
	"os/exec"
	"path/filepath"
)

// postgres returns the server's program, which Debian keeps out of PATH.
func postgres() string {
	if path, err := exec.LookPath("postgres"); err == nil {
		return path
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); len(found) > 0 {
		return found[len(found)-1]
	}
	return "postgres"
}
