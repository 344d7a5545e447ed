package connurl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/internal/connurl"
)

func TestParse_ReadsEveryPart(t *testing.T) {
	for text, want := range map[string]connurl.URL{
		"x://h":                       {Scheme: "x", Host: "h"},
		"X://h:1/":                    {Scheme: "x", Host: "h", Port: "1", Path: "/"},
		"x://u@h":                     {Scheme: "x", User: "u", Host: "h"},
		"x://:p@h:":                   {Scheme: "x", Password: "p", Host: "h"},
		"x://u:p:q@r^\"<ä@h/0":        {Scheme: "x", User: "u", Password: "p:q@r^\"<ä", Host: "h", Path: "/0"},
		"x://u:%2F%3f%23%40%25+@h":    {Scheme: "x", User: "u", Password: "/?#@%+", Host: "h"},
		"x://[::1]":                   {Scheme: "x", Host: "::1"},
		"x://u:p@[fe80::1%25eth0]:65": {Scheme: "x", User: "u", Password: "p", Host: "fe80::1%eth0", Port: "65"},
		"x://u@%2Frun%2Fdb/d":         {Scheme: "x", User: "u", Host: "/run/db", Path: "/d"},
		"x:///run/a@b.sock":           {Scheme: "x", Path: "/run/a@b.sock"},
		"x://u:p@/run/s":              {Scheme: "x", User: "u", Password: "p", Path: "/run/s"},
		"x://h?a=1&b=x+y%40&a=2&c":    {Scheme: "x", Host: "h", Parameters: connurl.Parameters{"a": "2", "b": "x y@", "c": ""}},
	} {
		if want.Parameters == nil {
			want.Parameters = connurl.Parameters{}
		}
		got, err := connurl.Parse(text, "x")
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestParse_DropsWhiteSpaceAroundIt(t *testing.T) {
	for _, around := range [][2]string{{"", "\n"}, {" ", "\r\n"}, {"\t\n", "\u00a0"}} {
		u, err := connurl.Parse(around[0]+"x://h:1/2"+around[1], "x")
		require.NoError(t, err)
		require.Equal(t, []string{"h", "1", "/2"}, []string{u.Host, u.Port, u.Path})
	}
}

func TestParse_NamesTheCauseAndKeepsThePassword(t *testing.T) {
	for text, says := range map[string]string{
		" \n":                       "is empty",
		"hunter2":                   "it has no scheme: it begins with x://, y:// or z://",
		"u:hunter2@localhost:6379":  "it has no scheme",
		"x:hunter2@h":               "it has no scheme",
		"hunter2://h":               "its scheme is unknown: it begins with x://",
		`"x://u:hunter2@h"`:         "quotation mark",
		"x://u:hunter2@h\ny://h":    "white space",
		"x://u:hunter2 3@h":         "white space",
		"x://u:hun/ter2hunter2@h":   "%2F",
		"x://u:hunter2?x=hunter2@h": "%3F",
		"x://u:hunter2#hunter2@h/0": "%23",
		"x://u:hunter2@3/hunter2@h": "%2F",
		"x://u:1#hunter2":           "fragment",
		"x://u:hunter2%zz@h":        "does not begin a percent-encoding",
		"x://hunter2%@h":            "does not begin a percent-encoding",
		"x://u:hunter2@h%2":         "does not begin a percent-encoding",
		"x://u:hunter2@h/%2":        "does not begin a percent-encoding",
		"x://u:hunter2@h?hunter2=%": "does not begin a percent-encoding",
		"x://u:hunter2@h?a=1;b=2":   "separated by &",
		"x://u:hunter2@a,b":         "several hosts",
		"x://u:hunter2@a:1,b:2":     "several hosts",
		"x://u:hunter2":             "the port is not a number from 1 to 65535",
		"x://u:hunter2@h:0":         "the port is not a number from 1 to 65535",
		"x://u:hunter2@h:+1":        "the port is not a number from 1 to 65535",
		"x://u:hunter2@h:65536":     "the port is not a number from 1 to 65535",
		"x://u:hunter2@::1":         "stands in brackets",
		"x://u:hunter2:6379":        "stands in brackets",
		"x://u:hunter2@[::1":        "in brackets",
		"x://u:hunter2@[h]:1":       "in brackets",
		"x://u:hunter2@[::1]hunter": "in brackets",
	} {
		_, err := connurl.Parse(text, "x", "y", "z")
		require.ErrorContains(t, err, says, text)
		require.NotContains(t, err.Error(), "hunter", text)
	}
}

func TestParameters_RejectsByNameWhatIsLeft(t *testing.T) {
	u, err := connurl.Parse("x://h?a=1&SSL=true&z=2", "x")
	require.NoError(t, err)
	require.Equal(t, "1", u.Parameters.Take("a"))
	_, found := u.Parameters.Lookup("a")
	require.False(t, found)
	hints := map[string]string{"ssl": "begin with y://"}
	require.EqualError(t, u.Parameters.Reject(hints, "a", "b"), `the parameter "SSL" is not supported: begin with y://`)
	u.Parameters.Take("SSL")
	require.EqualError(t, u.Parameters.Reject(hints, "a", "b"), `the parameter "z" is not supported: there are a, b`)
	u.Parameters.Take("z")
	require.NoError(t, u.Parameters.Reject(hints))
}

// Whatever is read, what an unencoded character would tear off a password is
// never taken for a host.
func FuzzParse_NeverQuotes(f *testing.F) {
	for _, s := range []string{"hunter2", "a/b", "a?b=c", "a#b", "%", "[", ":", "@", ",", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const mark = "hunter2hunter2"
		_, err := connurl.Parse("x://u:"+s+mark+s+"@h:1/0", "x")
		if err != nil {
			require.NotContains(t, err.Error(), mark)
		}
	})
}
