package httpserver

import "bytes"

// framing is what a head says about where its request ends.
type framing struct {
	length bool // a Content-Length field
	coding bool // a Transfer-Encoding field
}

// framingOf looks for the framing fields in a head.
func framingOf(head []byte) framing {
	var f framing
	for len(head) > 0 {
		switch head[0] | 0x20 {
		case 'c':
			f.length = f.length || hasField(head, "content-length:")
		case 't':
			f.coding = f.coding || hasField(head, "transfer-encoding:")
		}
		next := bytes.IndexByte(head, '\n')
		if next < 0 {
			break
		}
		head = head[next+1:]
	}
	return f
}

// hasField reports whether line starts with name, which is in lower case and
// ends in a colon.
func hasField(line []byte, name string) bool {
	if len(line) < len(name) {
		return false
	}
	for i := range len(name) {
		b := line[i]
		if 'A' <= b && b <= 'Z' {
			b |= 0x20
		}
		if b != name[i] {
			return false
		}
	}
	return true
}

// blankLine returns the index past the first blank line of block that ends
// after the first old bytes, which hold none; 0 when there is none. A line
// ends in LF or CRLF, and only a line that follows another can be blank.
func blankLine(block []byte, old int) int {
	for i := max(0, old-2); ; {
		n := bytes.IndexByte(block[i:], '\n')
		if n < 0 {
			return 0
		}
		i += n + 1
		switch {
		case i < len(block) && block[i] == '\n':
			return i + 1
		case i+1 < len(block) && block[i] == '\r' && block[i+1] == '\n':
			return i + 2
		}
	}
}
