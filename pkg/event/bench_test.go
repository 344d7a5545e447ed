package event_test

import (
	"testing"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func BenchmarkParseTimestamp(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.ParseTimestamp("2026-03-04T05:06:07.123456+05:30"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		event.NewID()
	}
}

func BenchmarkNew(b *testing.B) {
	d := draft()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.New(d, event.DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendFields(b *testing.B) {
	e := sample(b)
	b.ReportAllocs()
	var fields []string
	for b.Loop() {
		fields = e.AppendFields(fields[:0])
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	e := sample(b)
	b.ReportAllocs()
	var text []byte
	for b.Loop() {
		text = e.AppendJSON(text[:0])
	}
}

func BenchmarkFromFields(b *testing.B) {
	fields := sample(b).AppendFields(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.FromFields(fields); err != nil {
			b.Fatal(err)
		}
	}
}
