package connurl

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

var errIPv6 = errors.New("its host has more than one colon: an IPv6 address stands in brackets, [::1]:6379, and user and password end with an @")

// location reads host:port. Of both nothing is quoted: where the @ was
// forgotten they are the user and the password.
func (u *URL) location(text string) error {
	if strings.Contains(text, ",") {
		return errors.New("it names several hosts, which is not supported: name one")
	}
	host, port, found := strings.Cut(text, ":")
	if strings.HasPrefix(text, "[") {
		var rest string
		host, rest, found = strings.Cut(text[1:], "]")
		address, err := netip.ParseAddr(strings.Replace(host, "%25", "%", 1)) // https://www.rfc-editor.org/rfc/rfc6874#section-2
		if !found || err != nil || !address.Is6() || rest != "" && rest[0] != ':' {
			return errors.New("its host is not an IPv6 address in brackets: [::1] or [::1]:6379")
		}
		port, found = strings.CutPrefix(rest, ":")
	}
	switch {
	case strings.Contains(port, ":"):
		return errIPv6
	case found && port != "" && !validPort(port):
		return errPort
	}
	host, err := url.PathUnescape(host)
	if err != nil {
		return errPercent
	}
	u.Host, u.Port = host, port
	return nil
}

// errPort says that a port is none.
var errPort = errors.New("the port is not a number from 1 to 65535: is the @ missing that ends user and password?")

func validPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0 && text[0] != '+'
}
