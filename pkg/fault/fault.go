// Package fault marks the places where a process can be made to die, or an
// operation to fail, from outside, so that what happens then can be tested on
// the real program.
//
// In a program built without the tag chaos the marks are empty functions,
// which the compiler removes: they cost nothing and can do nothing. With the
// tag, and with [DirVariable] set, a file in that directory arms a mark:
//
//	<mark>.kill    the process that passes there next removes the file and ends
//	               itself with SIGKILL
//	<mark>.error   the operation there fails for as long as the file exists
//
// Marks may be passed by any number of goroutines at once.
package fault

// DirVariable names the environment variable with the directory that arms
// marks. It does not begin as the settings of the program do: those that are
// not settings are refused.
const DirVariable = "CHAOS_FAULT_DIR"

// What a file that arms a mark is called: the mark's name and one of these.
const (
	KillSuffix  = ".kill"
	ErrorSuffix = ".error"
)

// Mark is a place in the program.
type Mark string

// The marks, in the order an event passes them.
const (
	// PublishBefore: events are about to be sent to the stream.
	PublishBefore Mark = "publish.before_xadd"
	// PublishAfter: Redis has confirmed, the producer has no answer yet.
	PublishAfter Mark = "publish.after_xadd"

	// SpoolBefore: events are about to be committed to the spool.
	SpoolBefore Mark = "spool.before_commit"
	// SpoolSync, an error: the spool's fsync fails.
	SpoolSync Mark = "spool.sync"
	// SpoolAfter: the commit is on disk, the producer has no answer yet.
	SpoolAfter Mark = "spool.after_commit"
	// SpoolDrain: a part of the spool is on the stream, and the spool does
	// not know yet.
	SpoolDrain Mark = "spool.mid_drain"

	// WorkRead: deliveries have been read, nothing has been done with them.
	WorkRead Mark = "work.after_read"
	// WorkClaim: deliveries of another consumer have been claimed.
	WorkClaim Mark = "work.after_claim"
	// WorkBefore: a batch is about to be written to the database.
	WorkBefore Mark = "work.before_commit"
	// WorkAfter: the batch is committed, nothing has been acknowledged.
	WorkAfter Mark = "work.after_commit"
	// DeadLetterBefore: an entry is about to become a dead letter.
	DeadLetterBefore Mark = "deadletter.before"
	// DeadLetterAfter: it has become one, the worker has not gone on.
	DeadLetterAfter Mark = "deadletter.after"
)
