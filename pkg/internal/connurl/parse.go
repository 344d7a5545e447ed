package connurl

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// URL is a connection URL taken apart. Its parts are decoded.
type URL struct {
	// Scheme is in lower case.
	Scheme string
	// User and Password are empty where the URL names none.
	User, Password string
	// Host is a name or an address, IPv6 without its brackets. Port is a
	// number from 1 to 65535, or empty.
	Host, Port string
	// Path begins with a slash, or is empty.
	Path string
	// Parameters are what follows the question mark.
	Parameters Parameters
}

var (
	errUnencoded = errors.New("an @ follows a / ? or #: in a user or a password they are written %2F %3F %23, and behind it @ is written %40")
	errPercent   = errors.New("a % does not begin a percent-encoding such as %2F: a plain % is written %25")
)

// Parse takes text apart. Its scheme must be one of schemes, in lower case.
func Parse(text string, schemes ...string) (URL, error) {
	text = strings.TrimSpace(text)
	scheme, rest, found := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	switch {
	case text == "":
		return URL{}, errors.New("it is empty")
	case strings.ContainsAny(text[:1], "\"'`"):
		return URL{}, errors.New("it begins with a quotation mark, which is taken as a part of it: leave it out")
	case !found:
		return URL{}, errors.New("it has no scheme: it begins with " + choice(schemes))
	case !slices.Contains(schemes, scheme):
		return URL{}, errors.New("its scheme is unknown: it begins with " + choice(schemes))
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return URL{}, errors.New("white space or a control character is in the middle of it: there it is written percent-encoded, such as %20")
	}
	u := URL{Scheme: scheme}
	return u, u.split(rest)
}

// split takes apart what follows the scheme.
func (u *URL) split(rest string) error {
	authority, path, query, err := sections(rest)
	if err != nil {
		return err
	}
	hostPort := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		hostPort = authority[at+1:]
		if err := u.credentials(authority[:at]); err != nil {
			return err
		}
	}
	if err := u.location(hostPort); err != nil {
		return err
	}
	if u.Path, err = url.PathUnescape(path); err != nil {
		return errPercent
	}
	u.Parameters, err = parseParameters(query)
	return err
}

// sections divides what follows the scheme. An unencoded / ? or # in a password
// ends the authority early and leaves the @ behind it: nothing that is found
// then may be quoted, nor be dialled.
func sections(rest string) (authority, path, query string, err error) {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		return rest, "", "", nil
	}
	authority, tail := rest[:end], rest[end:]
	path, query, _ = strings.Cut(tail, "?")
	switch {
	// Without an authority the path is that of a socket.
	case authority != "" && strings.Contains(tail, "@"):
		return "", "", "", errUnencoded
	case strings.Contains(tail, "#"):
		return "", "", "", errors.New("a # begins a fragment, which means nothing here: written as a part of something it is %23")
	}
	return authority, path, query, nil
}

func (u *URL) credentials(text string) (err error) {
	user, password, _ := strings.Cut(text, ":")
	if u.User, err = url.PathUnescape(user); err != nil {
		return errPercent
	}
	if u.Password, err = url.PathUnescape(password); err != nil {
		return errPercent
	}
	return nil
}

// choice lists schemes as a sentence does.
func choice(schemes []string) string {
	text := schemes[0] + "://"
	for i, s := range schemes[1:] {
		if i == len(schemes)-2 {
			text += " or " + s + "://"
		} else {
			text += ", " + s + "://"
		}
	}
	return text
}
