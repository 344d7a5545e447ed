package native_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

// small is an event of ordinary size, 230 bytes.
const small = `{"event_id":"0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e70","event_type":"order.created","source":"shop/checkout",` +
	`"timestamp":"2026-03-04T05:06:07.123456+05:30","payload":{"order":1234567,"total":99.95,"currency":"EUR"},"metadata":{"v":1}}`

const smallNoID = `{"event_type":"order.created","source":"shop/checkout",` +
	`"timestamp":"2026-03-04T05:06:07.123456+05:30","payload":{"order":1234567,"total":99.95,"currency":"EUR","note":"gift wrapped"},"metadata":{"v":1}}`

// webhooks returns large events: recorded ones where the checkout has them
// beside it, generated ones of the same shape elsewhere.
func webhooks(tb testing.TB) []string {
	tb.Helper()
	const recorded = "../../../shared/data/github-webhooks.ndjson"
	data, err := os.ReadFile(recorded)
	switch {
	case err == nil:
		var events []string
		for line := range bytes.Lines(data) {
			events = append(events, string(bytes.TrimSpace(line)))
		}
		return events
	case !errors.Is(err, fs.ErrNotExist):
		tb.Fatal(err)
	}
	tb.Log("no recorded webhooks: generating some")
	return []string{generated(1), generated(10), generated(40)}
}

// generated returns an event whose payload nests objects of many members, in
// proportion to size.
func generated(size int) string {
	var p strings.Builder
	for i := range size {
		fmt.Fprintf(&p, `"repository_%d":{"id":%d,"private":false,"description":null`, i, 186853002+i)
		for m := range 60 {
			fmt.Fprintf(&p, `,"member_%d_url":"https://api.example.com/repos/owner/name/member{/%d}"`, m, m)
		}
		p.WriteString(`,"topics":["a","b"],"pushed_at":"2019-05-15T15:20:40Z","size":0},`)
	}
	return `{"event_type":"repository.pushed","source":"owner/name","timestamp":"2019-05-15T15:20:41Z","payload":{` +
		p.String() + `"action":"pushed"},"metadata":{"generated":true}}`
}

func BenchmarkParse(b *testing.B) {
	limits := event.DefaultLimits()
	run := func(name string, bodies []string) {
		b.Run(name, func(b *testing.B) {
			total := 0
			for _, body := range bodies {
				total += len(body)
			}
			b.SetBytes(int64(total))
			b.ReportAllocs()
			for b.Loop() {
				for _, body := range bodies {
					if _, err := native.Parse(body, limits); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
	run("small", []string{small})
	run("small_minted", []string{smallNoID})
	run("webhooks", webhooks(b))
	run("text_cyrillic", []string{withPayloadText(strings.Repeat("Привет, мир! ", 1000))})
	run("text_ascii", []string{withPayloadText(strings.Repeat("Hello, world! ", 1000))})
	run("text_escapes", []string{withPayloadText(strings.Repeat(`a\n\"b\"\u00e9`, 1000))})
	run("many_names", []string{manyNames(15000)})
}

func withPayloadText(text string) string {
	return `{"event_type":"t","source":"s","timestamp":"2026-03-04T05:06:07Z","payload":{"text":"` + text + `"}}`
}

// manyNames returns an event whose payload is one object of n members.
func manyNames(n int) string {
	var p strings.Builder
	for i := range n {
		if i > 0 {
			p.WriteByte(',')
		}
		fmt.Fprintf(&p, `"name%d":%d`, i, i)
	}
	return `{"event_type":"t","source":"s","timestamp":"2026-03-04T05:06:07Z","payload":{` + p.String() + `}}`
}

func BenchmarkParseBatch(b *testing.B) {
	body := "[" + strings.TrimSuffix(strings.Repeat(small+",", 100), ",") + "]"
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := native.ParseBatch(body, event.DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}
