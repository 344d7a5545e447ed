package doctor

import (
	"errors"
	"testing"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

func TestJudgeStream(t *testing.T) {
	old := 20 * time.Minute
	for _, tt := range []struct {
		name   string
		change func(*stream.Info, *stream.StreamInfo)
		check  string
		status Status
		says   string
	}{
		{"key", nil, "stream.key", OK, ""},
		{"no key", func(_ *stream.Info, s *stream.StreamInfo) { s.Type, s.Stats = "none", stream.Stats{} }, "stream.key", OK, "does not exist yet"},
		{"no group yet", func(_ *stream.Info, s *stream.StreamInfo) { s.Type, s.Stats = "none", stream.Stats{} }, "stream.group", OK, "does not exist yet"},
		{"another type", func(_ *stream.Info, s *stream.StreamInfo) { s.Type = "list" }, "stream.key", Problem, "redis-cli RENAME events_stream OTHER"},
		{"another type of dead letters", func(_ *stream.Info, s *stream.StreamInfo) { s.DeadLetterType = "hash" }, "stream.dead_letters", Problem, "'{events_stream}:dlq'"},
		{"moved", func(f *stream.Info, s *stream.StreamInfo) {
			s.Type, s.DeadLetterType = "", ""
			f.StreamErr = &event.Error{Kind: event.KindUnavailable, Code: "MOVED", Detail: "no", Err: errors.New("MOVED 3999 10.0.0.5:6379")}
		}, "stream.readable", Problem, "the key: 10.0.0.5:6379"},
		{"denied", func(f *stream.Info, _ *stream.StreamInfo) {
			f.StreamErr = &event.Error{Kind: event.KindUnavailable, Code: "NOPERM", Detail: "no access to a key"}
		}, "stream.readable", Problem, "'~{events_stream}:*'"},
		{"command denied", func(f *stream.Info, s *stream.StreamInfo) {
			s.Type = "NOPERM this user has no permissions to run the 'type' command"
			f.StreamErr = &event.Error{Kind: event.KindUnavailable, Code: "NOPERM", Detail: "NOPERM this user has no permissions to run the 'config|get' command"}
		}, "stream.readable", Unknown, "+@stream '+config|get'"},
		{"expires", func(_ *stream.Info, s *stream.StreamInfo) { s.Expires = time.Hour }, "stream.expiry", Problem, "PERSIST events_stream"},

		{"group", nil, "stream.group", OK, ""},
		{"no group", func(_ *stream.Info, s *stream.StreamInfo) { s.Group = false }, "stream.group", Warning, "XGROUP CREATE events_stream event_persister 0"},
		{"consumers", nil, "stream.consumers", OK, "1 alive"},
		{"no consumer", func(_ *stream.Info, s *stream.StreamInfo) { s.Members = nil }, "stream.consumers", Warning, "start eventpulse work"},
		{"gone with nothing", func(_ *stream.Info, s *stream.StreamInfo) {
			s.Members = append(s.Members, stream.Member{Name: "w2", Idle: time.Hour})
		}, "stream.consumers", OK, "1 gone"},
		{"gone with something", func(_ *stream.Info, s *stream.StreamInfo) {
			s.Members = append(s.Members, stream.Member{Name: "w2", Idle: 3 * time.Hour, Pending: 7})
		}, "stream.consumers", Warning, `"w2", idle for 3h0m, holds 7`},

		{"backlog", nil, "stream.backlog", OK, "3 events"},
		{"backlog old", func(_ *stream.Info, s *stream.StreamInfo) { s.OldestUnreadAge = old }, "stream.backlog", Warning, "20m"},
		{"backlog old and nobody", func(_ *stream.Info, s *stream.StreamInfo) { s.OldestUnreadAge, s.Members = old, nil }, "stream.backlog", Problem, "no consumer reads"},
		{"backlog estimated", func(_ *stream.Info, s *stream.StreamInfo) { s.Backlog, s.BacklogExact = 5000, false }, "stream.backlog", OK, "about 5000"},
		{"pending", nil, "stream.pending", OK, "2 events"},
		{"pending old", func(_ *stream.Info, s *stream.StreamInfo) { s.OldestPendingAge, s.OldestPendingDeliveries = old, 3 }, "stream.pending", Warning, "delivered 3 times"},

		{"other group", func(_ *stream.Info, s *stream.StreamInfo) {
			s.OtherGroups = []stream.OtherGroup{{Name: "audit", LastDelivered: "1700000000000-4", LastAge: time.Minute}}
		}, "stream.other_groups", OK, "audit"},
		{"other group on a quiet stream", func(_ *stream.Info, s *stream.StreamInfo) {
			s.OtherGroups = []stream.OtherGroup{{Name: "audit", LastDelivered: s.LastDelivered, LastAge: 9 * time.Hour}}
		}, "stream.other_groups", OK, "audit"},
		{"abandoned group", func(_ *stream.Info, s *stream.StreamInfo) {
			s.OtherGroups = []stream.OtherGroup{{Name: "old audit", LastDelivered: "1600000000000-0", LastAge: 9 * time.Hour}}
		}, "stream.other_groups", Warning, "XGROUP DESTROY events_stream 'old audit'"},
		{"group never used", func(_ *stream.Info, s *stream.StreamInfo) {
			s.OtherGroups = []stream.OtherGroup{{Name: "audit", LastDelivered: "0-0", LastAge: 500000 * time.Hour}}
		}, "stream.other_groups", Warning, "never delivered anything"},

		{"no dead letters", nil, "stream.dead_letters", OK, "none"},
		{"dead letters", func(_ *stream.Info, s *stream.StreamInfo) { s.DeadLetters = 1 }, "stream.dead_letters", Warning, "eventpulse dlq list"},
	} {
		f := goodRedis()
		if tt.change != nil {
			tt.change(&f, &f.Stream)
		}
		requireFinding(t, tt.name, judgeStream(f), tt.check, tt.status, tt.says)
	}
}
