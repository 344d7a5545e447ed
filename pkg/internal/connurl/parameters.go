package connurl

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Parameters are those of a URL that nobody has taken yet.
type Parameters map[string]string

// parseParameters reads name=value&…; of several with one name the last counts.
func parseParameters(query string) (Parameters, error) {
	if strings.Contains(query, ";") {
		return nil, errors.New("a ; is among its parameters: they are separated by &, and a plain ; is written %3B")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errPercent
	}
	p := make(Parameters, len(values))
	for name, all := range values {
		p[name] = all[len(all)-1]
	}
	return p, nil
}

// Take removes a parameter and returns its value, "" when it is not there.
func (p Parameters) Take(name string) string {
	value, _ := p.Lookup(name)
	return value
}

// Lookup is Take, and says whether the parameter was there.
func (p Parameters) Lookup(name string) (string, bool) {
	value, ok := p[name]
	delete(p, name)
	return value, ok
}

// Reject returns an error that names the first of the parameters that are left.
// Hints say by name, in lower case, what to do instead; known are those that
// there are.
func (p Parameters) Reject(hints map[string]string, known ...string) error {
	if len(p) == 0 {
		return nil
	}
	name := slices.Min(slices.Collect(maps.Keys(p)))
	if hint := hints[strings.ToLower(name)]; hint != "" {
		return fmt.Errorf("the parameter %q is not supported: %s", name, hint)
	}
	return fmt.Errorf("the parameter %q is not supported: there are %s", name, strings.Join(known, ", "))
}
