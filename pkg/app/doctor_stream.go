package app

import (
	"fmt"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/pkg/stream"
)

const (
	// silence is how long nothing is heard of a worker that is alive: longer
	// than any worker.block.
	silence = 2 * time.Minute
	// tooOld is the age from which an event that waits says that something
	// is wrong.
	tooOld = 5 * time.Minute
	// abandoned is how far a group of somebody else may be behind before it
	// is worth a word.
	abandoned = time.Hour
)

// judgeStream judges the keys of the stream and who reads it.
func judgeStream(f stream.Info) (found findings) {
	s := f.Stream
	if s.Type != "" && !judgeKey(&found, s) {
		return found
	}
	if s.DeadLetterType != "" && s.DeadLetterType != "none" && s.DeadLetterType != "stream" {
		found.problem("stream.dead_letters", fmt.Sprintf("the key %q holds a %s, so nothing can be set aside that can never be stored", s.DeadLetterKey, s.DeadLetterType),
			fmt.Sprintf("move it: redis-cli RENAME %s OTHER", shellWord(s.DeadLetterKey)))
		return found
	}
	if f.StreamErr != nil {
		found.problem("stream.readable", f.StreamErr.Error(), streamRemedy(f))
		return found
	}
	if s.Expires > 0 {
		found.problem("stream.expiry", fmt.Sprintf("the stream will be thrown away in %s", short(s.Expires)), "redis-cli PERSIST "+shellWord(s.Key))
	}
	if judgeGroup(&found, s) {
		live := judgeConsumers(&found, s)
		judgeBacklog(&found, s, live)
		judgePending(&found, s)
		judgeOtherGroups(&found, s)
	}
	if s.DeadLetters > 0 {
		found.warning("stream.dead_letters", fmt.Sprintf("%s can never be stored as they are", count(s.DeadLetters, "event")),
			"eventpulse dlq list, then eventpulse dlq replay or purge")
	} else {
		found.ok("stream.dead_letters", "none")
	}
	return found
}

// judgeKey judges the type of the stream's key, and says whether it can be used.
func judgeKey(found *findings, s stream.StreamInfo) bool {
	const topic = "stream.key"
	switch s.Type {
	case "stream":
		found.ok(topic, "%q is a stream", s.Key)
	case "none":
		found.ok(topic, "%q does not exist yet; serve and work make it", s.Key)
	default:
		found.problem(topic, fmt.Sprintf("the key %q holds a %s and no stream", s.Key, s.Type),
			fmt.Sprintf("set stream.key to another key, or move this one: redis-cli RENAME %s OTHER", shellWord(s.Key)))
		return false
	}
	return true
}

func streamRemedy(f stream.Info) string {
	switch codeOf(f.StreamErr) {
	case "MOVED":
		// "… MOVED 3999 10.0.0.5:6379"
		words := strings.Fields(f.StreamErr.Error())
		return "point redis.url at the node that serves the key: " + words[len(words)-1]
	case "CLUSTERDOWN":
		return "bring the cluster up: redis-cli --cluster check " + f.Address
	case "NOPERM":
		return fmt.Sprintf("let this user at the stream and the keys beside it: redis-cli ACL SETUSER NAME '~%s' '~%s*' +@all",
			f.Stream.Key, strings.TrimSuffix(f.Stream.DeadLetterKey, "dlq"))
	default:
		return "see what the server's log says"
	}
}

// judgeGroup says whether there is a group to look at.
func judgeGroup(found *findings, s stream.StreamInfo) bool {
	const topic = "stream.group"
	switch {
	case s.Group:
		found.ok(topic, "%q exists", s.GroupName)
	case s.Length == 0:
		found.ok(topic, "%q does not exist yet; serve and work make it", s.GroupName)
	default:
		found.warning(topic, fmt.Sprintf("%q does not exist, and the stream holds %s: made where stream.group_start says, it may pass them over", s.GroupName, count(s.Length, "event")),
			fmt.Sprintf("to have all of them stored: redis-cli XGROUP CREATE %s %s 0", shellWord(s.Key), shellWord(s.GroupName)))
	}
	return s.Group
}

// judgeConsumers returns how many seem to be alive.
func judgeConsumers(found *findings, s stream.StreamInfo) (live int) {
	const topic = "stream.consumers"
	var holding []string
	gone := 0
	for _, m := range s.Members {
		switch {
		case m.Idle < silence:
			live++
		case m.Pending > 0:
			holding = append(holding, fmt.Sprintf("%q, not heard of for %s, holds %d", m.Name, short(m.Idle), m.Pending))
		default:
			gone++
		}
	}
	alive := fmt.Sprintf("%d alive", live)
	switch {
	case len(holding) > 0:
		found.warning(topic, alive+"; "+strings.Join(holding, "; "),
			"start eventpulse work, which takes over what others left after worker.claim_after")
	case live == 0:
		found.warning(topic, "no worker reads the stream", "start eventpulse work")
	case gone > 0:
		found.ok(topic, "%s; %d gone that hold nothing", alive, gone)
	default:
		found.ok(topic, "%s", alive)
	}
	return live
}

func judgeBacklog(found *findings, s stream.StreamInfo, live int) {
	const topic = "stream.backlog"
	waiting := "about "
	if s.BacklogExact {
		waiting = ""
	}
	waiting += count(s.Backlog, "event") + " to be read"
	if s.Backlog > 0 {
		waiting += ", the oldest for " + short(s.OldestUnreadAge)
	}
	switch {
	case s.OldestUnreadAge < tooOld:
		found.ok(topic, "%s", waiting)
	case live == 0:
		found.problem(topic, waiting+", and nobody reads", "start eventpulse work")
	default:
		found.warning(topic, waiting, "see /readyz and the log of work; start more of it if it only is too slow")
	}
}

func judgePending(found *findings, s stream.StreamInfo) {
	const topic = "stream.pending"
	if s.OldestPendingAge < tooOld {
		found.ok(topic, "%s read and not stored yet", count(s.Pending, "event"))
		return
	}
	found.warning(topic, fmt.Sprintf("%s read and not stored yet, the oldest put on the stream %s ago and read %s",
		count(s.Pending, "event"), short(s.OldestPendingAge), count(s.OldestPendingDeliveries, "time")),
		"see /readyz and the log of work, and whether the database answers")
}

// judgeOtherGroups finds those that hold back the trimming.
func judgeOtherGroups(found *findings, s stream.StreamInfo) {
	const topic = "stream.other_groups"
	for _, g := range s.OtherGroups {
		last := "the last it was given was put there " + short(g.LastAge) + " ago"
		if g.LastDelivered == "0-0" {
			last = "it was never given anything"
		}
		if g.LastAge < abandoned || !idBefore(g.LastDelivered, s.LastDelivered) {
			found.ok(topic, "%q reads the stream too", g.Name)
			continue
		}
		found.warning(topic, fmt.Sprintf("%q is behind, and all since is kept for it: %s", g.Name, last),
			fmt.Sprintf("let it read on, or if nobody needs it: redis-cli XGROUP DESTROY %s %s", shellWord(s.Key), shellWord(g.Name)))
	}
}

// count is a number and what it is of.
func count(n int64, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// shellWord quotes what a shell would take apart.
func shellWord(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/@") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
