//go:build unix && !linux

package servers

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

func procAttr(cred *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: cred, Setpgid: true}
}

// childrenOf returns the living processes whose parent is pid.
func childrenOf(pid int) ([]int, error) {
	out, err := exec.Command("ps", "-axo", "pid=,ppid=,stat=").Output()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var children []int
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[1] == strconv.Itoa(pid) && !strings.HasPrefix(f[2], "Z") {
			if n, err := strconv.Atoi(f[0]); err == nil {
				children = append(children, n)
			}
		}
	}
	return children, nil
}

// running reports whether pid exists.
func running(pid int) bool { return syscall.Kill(pid, 0) == nil }
