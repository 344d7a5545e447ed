package config

import (
	"net/url"
	"strings"
)

// covered stands where something secret was.
const covered = "*****"

// mask returns a URL with its password covered, and the values of parameters
// that carry one. What cannot be taken apart with certainty is covered whole,
// but for its scheme: better hidden than half shown.
func mask(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		// A file's path is no secret, and has no place for one.
		if text == "" || strings.HasPrefix(text, "sqlite:") && !strings.ContainsAny(text, "@?") {
			return text
		}
		return covered
	}
	// An unescaped "/", "?" or "#" in a password ends the authority early and
	// leaves the "@" behind it.
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if _, err := url.Parse(text); err != nil || strings.Contains(tail, "@") {
		return scheme + "://" + covered
	}
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, password, ok := strings.Cut(authority[:at], ":")
		switch {
		case ok && password != "":
			authority = user + ":" + covered + authority[at:]
		case strings.HasPrefix(scheme, "redis"):
			// A password where the user belongs is a common slip.
			authority = covered + authority[at:]
		}
	}
	path, query, ok := strings.Cut(tail, "?")
	if ok {
		path += "?" + maskQuery(query)
	}
	return scheme + "://" + authority + path
}

func maskQuery(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, _, ok := strings.Cut(pair, "=")
		if lower := strings.ToLower(name); ok && (strings.Contains(lower, "pass") ||
			strings.Contains(lower, "secret") || strings.Contains(lower, "token")) {
			pairs[i] = name + "=" + covered
		}
	}
	return strings.Join(pairs, "&")
}

// scrub removes a secret value from a message that may quote it. Of a URL that
// cannot be taken apart an error may quote any piece, so nothing of it stays.
func scrub(message, value string) string {
	if mask(value) == value {
		return message
	}
	u, err := url.Parse(value)
	if err != nil {
		return "cannot be read as a URL; are the characters of its password percent-encoded?"
	}
	message = strings.ReplaceAll(message, value, mask(value))
	if password, ok := u.User.Password(); ok && password != "" && strings.Contains(message, password) {
		return "is not accepted"
	}
	return message
}
