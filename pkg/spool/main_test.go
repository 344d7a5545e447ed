package spool

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if part := os.Getenv(childPart); part != "" {
		child(part)
		return
	}
	goleak.VerifyTestMain(m)
}
