package event

import "testing"

func BenchmarkParseTimestamp(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, problem := parseTimestamp("2026-03-04T05:06:07.123456+05:30"); problem != "" {
			b.Fatal(problem)
		}
	}
}

func BenchmarkMintID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mintID()
	}
}
