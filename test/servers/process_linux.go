package servers

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

func procAttr(cred *syscall.Credential) *syscall.SysProcAttr {
	// A process group of its own keeps a Ctrl-C at the terminal away from
	// the server, so that the test ends it in order.
	return &syscall.SysProcAttr{Credential: cred, Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// childrenOf returns the living processes whose parent is pid.
func childrenOf(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var children []int
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parent, state := procStat(n); parent == pid && state != 'Z' {
			children = append(children, n)
		}
	}
	return children, nil
}

// running reports whether pid exists and is more than a zombie.
func running(pid int) bool {
	_, state := procStat(pid)
	return state != 0 && state != 'Z'
}

// procStat returns the parent and the state of pid, zeros when there is none.
func procStat(pid int) (parent int, state byte) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// "pid (name) S ppid …"; the name may hold anything, parentheses too.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 2 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(string(fields[1]))
	return parent, fields[0][0]
}
