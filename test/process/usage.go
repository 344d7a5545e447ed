package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of times under /proc, which Linux shows to
// programs as a hundredth of a second on every architecture.
const tick = 10 * time.Millisecond

// CPU returns the processor time, user and system, that the processes and
// their children have used, ended children included.
func CPU(pids ...int) (time.Duration, error) {
	children, err := parents()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range pids {
		own, err := cpuOf(pid)
		if err != nil {
			return 0, err
		}
		sum += own
		for _, child := range children[pid] {
			// One that has just ended is among its parent's ended ones.
			if used, err := cpuOf(child); err == nil {
				sum += used
			}
		}
	}
	return sum, nil
}

// cpuOf returns what the process has used itself, which its clock tells to the
// nanosecond, and its ended children, to a tick.
func cpuOf(pid int) (time.Duration, error) {
	stat, err := readStat(pid)
	if err != nil {
		return 0, err
	}
	// The clock of another process, see clock_getcpuclockid(3).
	const ofScheduler = 2
	var clock unix.Timespec
	if err := unix.ClockGettime(^int32(pid)<<3|ofScheduler, &clock); err != nil {
		return 0, fmt.Errorf("processor time of %d: %w", pid, err)
	}
	return time.Duration(clock.Nano()) + stat.ended, nil
}

// parents returns the children of every process.
func parents() (map[int][]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if stat, err := readStat(pid); err == nil {
			children[stat.parent] = append(children[stat.parent], pid)
		}
	}
	return children, nil
}

type stat struct {
	parent int
	ended  time.Duration // processor time of ended children
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, fmt.Errorf("processor time of %d: %w", pid, err)
	}
	s, err := parseStat(text)
	if err != nil {
		return stat{}, fmt.Errorf("processor time of %d: %w", pid, err)
	}
	return s, nil
}

// parseStat reads a line of /proc/PID/stat, see proc_pid_stat(5).
func parseStat(text []byte) (stat, error) {
	// "pid (name) S ppid …": the name may hold anything, parentheses too.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const state, parent, cutime, cstime = 3, 4, 16, 17 // counted from 1, as there
	if len(fields) <= cstime-state {
		return stat{}, errors.New("too few fields")
	}
	var s stat
	var err error
	if s.parent, err = strconv.Atoi(string(fields[parent-state])); err != nil {
		return stat{}, err
	}
	for _, field := range fields[cutime-state : cstime-state+1] {
		ticks, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return stat{}, err
		}
		s.ended += time.Duration(ticks) * tick
	}
	return s, nil
}

// Memory is what a process holds in memory, in bytes.
type Memory struct {
	Now, Peak int64 // resident set
}

// MemoryOf looks at a process.
func MemoryOf(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("memory of %d: %w", pid, err)
	}
	m, err := parseStatus(string(text))
	if err != nil {
		return Memory{}, fmt.Errorf("memory of %d: %w", pid, err)
	}
	return m, nil
}

// parseStatus reads /proc/PID/status.
func parseStatus(text string) (Memory, error) {
	var m Memory
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		var into *int64
		switch name {
		case "VmRSS":
			into = &m.Now
		case "VmHWM":
			into = &m.Peak
		default:
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("%s: %w", name, err)
		}
		*into = kib << 10
	}
	if m.Now == 0 || m.Peak == 0 {
		return Memory{}, errors.New("no resident set: the process has ended")
	}
	return m, nil
}
