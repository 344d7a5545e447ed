package config

import (
	"net/url"
	"slices"
	"strings"
)

// masked stands where something secret was.
const masked = "*****"

// minPiece is the least length of a piece of a password that is looked for in a
// message: shorter ones are in any sentence.
const minPiece = 4

// mask returns a URL with its password masked, and the values of parameters
// that carry one. What cannot be taken apart with certainty is masked whole,
// but for its scheme: better hidden than half shown.
func mask(text string) string {
	text = strings.TrimSpace(text)
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
		case !strings.HasPrefix(scheme, "postgres"):
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

// scrub removes a secret value from a message that may quote it, and gives up
// the message where it quotes a piece of the password. The packages promise not
// to; this is the second lock.
func scrub(message, value string) string {
	if mask(value) == value {
		return message
	}
	message = strings.ReplaceAll(message, value, mask(value))
	for _, piece := range passwordPieces(value) {
		if strings.Contains(message, piece) {
			return "is not accepted"
		}
	}
	return message
}

// passwordPieces returns what an error may quote of a URL's password: the whole,
// decoded or not, and what is between characters that a URL is divided at.
func passwordPieces(text string) []string {
	_, secret, found := strings.Cut(text, "://")
	if !found {
		secret = text
	}
	at := strings.LastIndexByte(secret, '@')
	if at < 0 {
		return nil
	}
	if user, password, found := strings.Cut(secret[:at], ":"); found {
		secret = password
	} else {
		secret = user
	}
	pieces := strings.FieldsFunc(secret, func(r rune) bool { return strings.ContainsRune(":/?#@%&= ", r) })
	pieces = append(pieces, secret)
	if decoded, err := url.PathUnescape(secret); err == nil {
		pieces = append(pieces, decoded)
	}
	return slices.DeleteFunc(pieces, func(s string) bool { return len(s) < minPiece })
}
