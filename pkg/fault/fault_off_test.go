//go:build !chaos

package fault_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/eventpulse/eventpulse/pkg/fault"
)

func TestMarksDoNothingInTheProgramThatIsShipped(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(fault.DirVariable, dir)
	for _, suffix := range []string{fault.KillSuffix, fault.ErrorSuffix} {
		if err := os.WriteFile(filepath.Join(dir, string(fault.SpoolSync)+suffix), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fault.Point(fault.SpoolSync) // or this test would be over
	if err := fault.Error(fault.SpoolSync); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { fault.Point(fault.SpoolSync); _ = fault.Error(fault.SpoolSync) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
