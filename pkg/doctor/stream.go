package doctor

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/pkg/stream"
)

const (
	// consumerTimeout is how long a consumer that is alive may be idle: longer
	// than any worker.block.
	consumerTimeout = 2 * time.Minute
	// maxWait is the age from which an event that waits says that something
	// is wrong.
	maxWait = 5 * time.Minute
	// maxGroupLag is how far behind another group may be before it is worth
	// a warning.
	maxGroupLag = time.Hour
)

// judgeStream judges the keys of the stream and the groups that read it.
func judgeStream(f stream.Info) (found findings) {
	s := f.Stream
	if f.StreamErr != nil {
		judgeUnreadable(&found, f)
		return found
	}
	if s.Type != "" && !judgeKey(&found, s) {
		return found
	}
	if s.DeadLetterType != "" && s.DeadLetterType != "none" && s.DeadLetterType != "stream" {
		found.problem("stream.dead_letters", fmt.Sprintf("the key %q holds a %s, so nothing can be dead-lettered", s.DeadLetterKey, s.DeadLetterType),
			fmt.Sprintf("rename it: redis-cli RENAME %s OTHER", shellWord(s.DeadLetterKey)))
		return found
	}
	if s.Expires > 0 {
		found.problem("stream.expiry", fmt.Sprintf("the stream expires in %s", short(s.Expires)), "redis-cli PERSIST "+shellWord(s.Key))
	}
	if judgeGroup(&found, s) {
		live := judgeConsumers(&found, s)
		judgeBacklog(&found, s, live)
		judgePending(&found, s)
		judgeOtherGroups(&found, s)
	}
	if s.DeadLetters > 0 {
		found.warning("stream.dead_letters", count(s.DeadLetters, "dead letter")+": events that cannot be stored as they are",
			"eventpulse dlq list, then eventpulse dlq replay or purge")
	} else {
		found.ok("stream.dead_letters", "none")
	}
	return found
}

// judgeKey judges the type of the stream's key, and reports whether it is usable.
func judgeKey(found *findings, s stream.StreamInfo) bool {
	const check = "stream.key"
	switch s.Type {
	case "stream":
		found.ok(check, "%q is a stream", s.Key)
	case "none":
		found.ok(check, "%q does not exist yet; serve and work create it", s.Key)
	default:
		found.problem(check, fmt.Sprintf("the key %q holds a %s, not a stream", s.Key, s.Type),
			fmt.Sprintf("set stream.key to another key, or rename this one: redis-cli RENAME %s OTHER", shellWord(s.Key)))
		return false
	}
	return true
}

// deniedCommand finds the command in Redis's reply to a user who may not run it.
var deniedCommand = regexp.MustCompile(`run the '([a-z0-9|]+)' command`)

// judgeUnreadable judges a stream that cannot be looked at. Nothing that was
// read before the error is judged: an error is not a fact about a key.
func judgeUnreadable(found *findings, f stream.Info) {
	const check = "stream.readable"
	text := f.StreamErr.Error()
	switch codeOf(f.StreamErr) {
	case "NOPERM":
		keys := fmt.Sprintf("'~%s' '~%s*'", f.Stream.Key, strings.TrimSuffix(f.Stream.DeadLetterKey, "dlq"))
		// A user without one of the commands that only look may still have
		// those that serve and work need.
		if denied := deniedCommand.FindStringSubmatch(text); denied != nil {
			found.unknown(check, text, "allow this user to look: redis-cli ACL SETUSER NAME "+keys+" +type +pttl +@stream "+shellWord("+"+denied[1]))
			return
		}
		found.problem(check, text, "allow this user the stream and the keys beside it: redis-cli ACL SETUSER NAME "+keys)
	case "MOVED":
		// "… MOVED 3999 10.0.0.5:6379"
		words := strings.Fields(text)
		found.problem(check, text, "point redis.url at the node that serves the key: "+words[len(words)-1])
	case "CLUSTERDOWN":
		found.problem(check, text, "bring the cluster up: redis-cli --cluster check "+f.Address)
	default:
		found.problem(check, text, "see the server's log")
	}
}

// judgeGroup reports whether there is a group to look at.
func judgeGroup(found *findings, s stream.StreamInfo) bool {
	const check = "stream.group"
	switch {
	case s.Group:
		found.ok(check, "%q exists", s.GroupName)
	case s.Length == 0:
		found.ok(check, "%q does not exist yet; serve and work create it", s.GroupName)
	default:
		found.warning(check, fmt.Sprintf("%q does not exist, and the stream holds %s: created where stream.group_start says, it may skip them", s.GroupName, count(s.Length, "event")),
			fmt.Sprintf("to have all of them stored: redis-cli XGROUP CREATE %s %s 0", shellWord(s.Key), shellWord(s.GroupName)))
	}
	return s.Group
}

// judgeConsumers returns how many consumers seem to be alive.
func judgeConsumers(found *findings, s stream.StreamInfo) (live int) {
	const check = "stream.consumers"
	var stalled []string
	gone := 0
	for _, m := range s.Members {
		switch {
		case m.Idle < consumerTimeout:
			live++
		case m.Pending > 0:
			stalled = append(stalled, fmt.Sprintf("%q, idle for %s, holds %d", m.Name, short(m.Idle), m.Pending))
		default:
			gone++
		}
	}
	alive := fmt.Sprintf("%d alive", live)
	switch {
	case len(stalled) > 0:
		found.warning(check, alive+"; "+strings.Join(stalled, "; "),
			"start eventpulse work, which claims what other consumers hold after worker.claim_after")
	case live == 0:
		found.warning(check, "no consumer reads the stream", "start eventpulse work")
	case gone > 0:
		found.ok(check, "%s; %d gone that held nothing", alive, gone)
	default:
		found.ok(check, "%s", alive)
	}
	return live
}

func judgeBacklog(found *findings, s stream.StreamInfo, live int) {
	const check = "stream.backlog"
	waiting := "about "
	if s.BacklogExact {
		waiting = ""
	}
	waiting += count(s.Backlog, "event") + " to be read"
	if s.Backlog > 0 {
		waiting += ", the oldest for " + short(s.OldestUnreadAge)
	}
	switch {
	case s.OldestUnreadAge < maxWait:
		found.ok(check, "%s", waiting)
	case live == 0:
		found.problem(check, waiting+", and no consumer reads", "start eventpulse work")
	default:
		found.warning(check, waiting, "see /readyz and the log of work; if it is healthy but too slow, start more")
	}
}

func judgePending(found *findings, s stream.StreamInfo) {
	const check = "stream.pending"
	if s.OldestPendingAge < maxWait {
		found.ok(check, "%s delivered and not stored yet", count(s.Pending, "event"))
		return
	}
	found.warning(check, fmt.Sprintf("%s delivered and not stored yet, the oldest put on the stream %s ago and delivered %s",
		count(s.Pending, "event"), short(s.OldestPendingAge), count(s.OldestPendingDeliveries, "time")),
		"see /readyz and the log of work, and check that the database answers")
}

// judgeOtherGroups finds those that keep the stream from being trimmed.
func judgeOtherGroups(found *findings, s stream.StreamInfo) {
	const check = "stream.other_groups"
	for _, g := range s.OtherGroups {
		last := "the last entry it was delivered is " + short(g.LastAge) + " old"
		if g.LastDelivered == "0-0" {
			last = "it was never delivered anything"
		}
		if g.LastAge < maxGroupLag || stream.CompareIDs(g.LastDelivered, s.LastDelivered) >= 0 {
			found.ok(check, "%q reads the stream too", g.Name)
			continue
		}
		found.warning(check, fmt.Sprintf("%q is behind, and the stream keeps everything since for it: %s", g.Name, last),
			fmt.Sprintf("let it read on, or, if it is not needed any more, destroy it: redis-cli XGROUP DESTROY %s %s", shellWord(s.Key), shellWord(g.Name)))
	}
}
