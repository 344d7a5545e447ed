package stream

import (
	"errors"
	"net/url"

	"github.com/redis/rueidis"
)

// parseURL turns redis.url into the options of a client. Its errors say what
// is wrong without quoting any of it: in a URL that does not parse, anything
// may be a piece of the password.
func parseURL(text string) (rueidis.ClientOption, error) {
	fail := func(what string) (rueidis.ClientOption, error) {
		return rueidis.ClientOption{}, errors.New("redis.url: " + what)
	}
	if text == "" {
		return fail("is empty: set it to redis://host:6379/0")
	}
	u, err := url.Parse(text)
	if err != nil {
		return fail("is not a URL: it reads redis://user:password@host:6379/0, with special characters in the password percent-encoded")
	}
	switch u.Scheme {
	case "redis", "rediss", "valkey", "valkeys":
		if u.Host == "" {
			return fail("names no host: it reads " + u.Scheme + "://user:password@host:6379/0")
		}
	case "unix":
		if u.Path == "" {
			return fail("names no socket: it reads unix:///path/to/redis.sock")
		}
	default:
		return fail("must begin with redis://, rediss:// or unix://")
	}
	q := u.Query()
	for _, option := range []string{"addr", "master_set"} {
		if q.Has(option) {
			return fail("the option " + option + " is not supported: name one server")
		}
	}
	opt, err := rueidis.ParseURL(text)
	if err != nil {
		return fail("has a database number or an option that is not valid: it reads redis://user:password@host:6379/0, with special characters in the password percent-encoded")
	}
	return opt, nil
}
