package doctor

import (
	"fmt"
	"time"
)

// clockTolerance is how far two clocks may differ before figures that are made
// of both mislead.
const clockTolerance = time.Second

// clock judges a clock that is ahead of this machine's by so much, give or take
// within; 0 for within is not known.
func (f *findings) clock(check string, ahead, within time.Duration) {
	off, word := ahead, "ahead of"
	if ahead < 0 {
		off, word = -ahead, "behind"
	}
	switch {
	case within == 0:
		f.unknown(check, "its time is unknown", "")
	case off-within > clockTolerance:
		f.warning(check, fmt.Sprintf("its clock is %s %s this machine's: delays and ages are wrong by as much, events are not", short(off), word),
			"run chrony or another NTP client on both machines")
	default:
		f.ok(check, "its clock agrees with this machine's within %s", short(off+within))
	}
}
