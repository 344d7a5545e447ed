package httpserver

import (
	"mime"
	"net/http"
	"strings"
)

// coding is a content coding that a body may come in.
type coding uint8

const (
	identity coding = iota
	gzipped
	zstandard
)

// acceptedCodings is what Accept-Encoding of a 415 offers.
const acceptedCodings = "gzip, zstd, identity"

// String returns the coding's registered name.
func (c coding) String() string {
	switch c {
	case gzipped:
		return "gzip"
	case zstandard:
		return "zstd"
	default:
		return "identity"
	}
}

// codingOf returns the content coding of a request (RFC 9110, section 8.4), or a
// 415.
func codingOf(h http.Header) (coding, error) {
	values := h["Content-Encoding"]
	if len(values) == 0 {
		return identity, nil
	}
	if len(values) == 1 {
		switch strings.ToLower(strings.TrimSpace(values[0])) {
		case "", "identity":
			return identity, nil
		case "gzip", "x-gzip":
			return gzipped, nil
		case "zstd":
			return zstandard, nil
		}
	}
	return 0, &Problem{
		Status: http.StatusUnsupportedMediaType,
		Detail: "the Content-Encoding is not one of " + acceptedCodings,
		Header: "Accept-Encoding", Value: acceptedCodings,
	}
}

// RequireJSON returns an error for [WriteError], a 415, unless the request's
// Content-Type is application/json in UTF-8 (RFC 8259, section 8.1) or there is
// none. The structured +json types are rejected, since each promises a shape of
// its own.
func RequireJSON(r *http.Request) error {
	values := r.Header["Content-Type"]
	if len(values) == 0 || len(values) == 1 && (values[0] == "application/json" || values[0] == "") {
		return nil
	}
	detail := "the Content-Type is not application/json; with curl, add -H 'Content-Type: application/json'"
	if len(values) > 1 {
		detail = "there is more than one Content-Type"
	} else if media, params, err := mime.ParseMediaType(values[0]); err == nil && media == "application/json" {
		charset, given := params["charset"]
		if !given || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8") {
			return nil
		}
		detail = "the charset is not utf-8, the only one there is for JSON"
	}
	return &Problem{
		Status: http.StatusUnsupportedMediaType,
		Detail: detail,
		Header: "Accept", Value: "application/json",
	}
}
