package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// portDir holds a file for each port that was ever reserved on this machine.
const portDir = "/tmp/eventpulse-test-ports"

// reserved are the locks of this process on its ports. It is package state
// because ports belong to the machine.
var reserved struct {
	sync.Mutex
	files map[int]*os.File
}

// ReservePort returns a port of 127.0.0.1 that nobody listens on and that no
// other process that asks here is given before [ReleasePort], or the end of
// this process. A server may go down and come back on it meanwhile.
//
// It lies below the range that the kernel takes ephemeral ports from: one of
// those could go to an outgoing connection while the server is down, and a
// client that redials may even be connected to itself.
func ReservePort() (int, error) {
	const low, high = 10000, 32000
	if err := os.MkdirAll(portDir, 0o777); err != nil {
		return 0, fmt.Errorf("reserve a port: %w", err)
	}
	_ = os.Chmod(portDir, 0o777) // for tests of other users, where it is ours
	var last error
	for range 1000 {
		port := low + rand.IntN(high-low)
		if last = reserve(port); last == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("reserve a port: %w", last)
}

// ReserveAddr returns 127.0.0.1 with a port as [ReservePort] gives.
func ReserveAddr() (string, error) {
	port, err := ReservePort()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), err
}

func reserve(port int) error {
	f, err := os.OpenFile(filepath.Join(portDir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("port %d is reserved: %w", port, err), f.Close())
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return errors.Join(err, f.Close())
	}
	reserved.Lock()
	if reserved.files == nil {
		reserved.files = map[int]*os.File{}
	}
	reserved.files[port] = f
	reserved.Unlock()
	return l.Close()
}

// ReleasePort ends the reservation of a port. One that is not ours is left
// alone.
func ReleasePort(port int) {
	reserved.Lock()
	defer reserved.Unlock()
	if f := reserved.files[port]; f != nil {
		_ = f.Close()
		delete(reserved.files, port)
	}
}
