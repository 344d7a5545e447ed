package config

import (
	"net/url"
	"strings"
)

// masked stands where something secret was.
const masked = "*****"

// mask returns a URL with its password masked, and the values of parameters
// that carry one. What cannot be taken apart with certainty is masked whole,
// but for its scheme: better hidden than half shown.
func mask(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		// A file's path is no secret, and has no place for one.
		if text == "" || strings.HasPrefix(text, "sqlite:") && !strings.ContainsAny(text, "@?") {
			return text
		}
		return masked
	}
	// An unescaped "/", "?" or "#" in a password ends the authority early and
	// leaves the "@" behind it.
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if _, err := url.Parse(text); err != nil || strings.Contains(tail, "@") {
		return scheme + "://" + masked
	}
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, password, ok := strings.Cut(authority[:at], ":")
		switch {
		case ok && password != "":
			authority = user + ":" + masked + authority[at:]
		case strings.HasPrefix(scheme, "redis"):
			// A password where the user belongs is a common slip.
			authority = masked + authority[at:]
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
			pairs[i] = name + "=" + masked
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
