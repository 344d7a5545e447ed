package consumertest

import (
	"errors"
	"sync"
)

// ErrInjected is the error of a call that a test has made to fail.
var ErrInjected = errors.New("injected")

// Op is a method of a source.
type Op string

// The methods, by their names.
const (
	EnsureGroup         Op = "EnsureGroup"
	Read                Op = "Read"
	Pending             Op = "Pending"
	Claim               Op = "Claim"
	Ack                 Op = "Ack"
	DeadLetter          Op = "DeadLetter"
	Trim                Op = "Trim"
	RemoveIdleConsumers Op = "RemoveIdleConsumers"
)

// Fault is what becomes of a call.
type Fault int

// The faults: a call that fails may have taken effect all the same.
const (
	None Fault = iota
	Before
	After
)

// faults says which calls fail. The zero value lets none fail.
type faults struct {
	mu     sync.Mutex
	script map[Op][]Fault
	always map[Op]Fault
	calls  map[Op]int
}

// Fail makes the next calls of op fail, one by one.
func (f *faults) Fail(op Op, script ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.script == nil {
		f.script = map[Op][]Fault{}
	}
	f.script[op] = append(f.script[op], script...)
}

// FailAlways makes each call of op fail, until it is called with None.
func (f *faults) FailAlways(op Op, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.always == nil {
		f.always = map[Op]Fault{}
	}
	f.always[op] = fault
}

// Calls returns how often op was called.
func (f *faults) Calls(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

func (f *faults) call(op Op, effect func()) error {
	fault := f.next(op)
	if fault == Before {
		return ErrInjected
	}
	effect()
	if fault == After {
		return ErrInjected
	}
	return nil
}

func (f *faults) next(op Op) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[Op]int{}
	}
	f.calls[op]++
	if fault := f.always[op]; fault != None {
		return fault
	}
	if script := f.script[op]; len(script) > 0 {
		f.script[op] = script[1:]
		return script[0]
	}
	return None
}
