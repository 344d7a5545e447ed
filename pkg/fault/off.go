//go:build !chaos

package fault

// Point does nothing.
func Point(Mark) {}

// Error returns nil.
func Error(Mark) error { return nil }
