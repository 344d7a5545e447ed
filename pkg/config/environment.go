package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// envPrefix begins every variable that is ours.
const envPrefix = "EVENTPULSE_"

// configVariable names the file, below --config.
const configVariable = envPrefix + "CONFIG"

// fileSuffix ends a variable that names a file with the value, as container
// platforms mount secrets.
const fileSuffix = "_FILE"

// maxSecretBytes bounds such a file.
const maxSecretBytes = 64 << 10

// portVariable is where hosting platforms say which port to serve.
const portVariable = "PORT"

// variables lists the environment variables that set s, strongest first. Each
// has a sibling that ends in fileSuffix.
func (s setting) variables() []string {
	names := []string{s.env()}
	switch s.key {
	// What hosting platforms and other tools already set.
	case "redis.url":
		names = append(names, "REDIS_URL")
	case "database.url":
		names = append(names, "DATABASE_URL")
	}
	return names
}

// variable is an environment variable in force.
type variable struct {
	name, value string
}

// variableOf returns the variable that is in force for s, and whether there is
// one. An empty one counts as not set: that is what "${NAME:-}" in a compose
// file leaves behind. The error is a [*SettingError].
func (l loader) variableOf(s setting) (variable, bool, error) {
	mine := slices.Contains(l.sections, s.section)
	for _, name := range s.variables() {
		value, path := os.Getenv(name), os.Getenv(name+fileSuffix)
		switch {
		case value != "" && path != "":
			return variable{}, false, &SettingError{Key: s.key, Source: "environment", Reason: name + " and " + name + fileSuffix + " are both set: only one of them may be"}
		case value != "":
			return variable{name, value}, true, nil
		case path != "" && mine: // another role's secrets may be out of reach
			return fromFile(s, name+fileSuffix, path)
		}
	}
	if s.key == "http.addr" && mine {
		return platformPort(s)
	}
	return variable{}, false, nil
}

// fromFile reads the value of s from the file that the variable of that name
// names.
func fromFile(s setting, name, path string) (variable, bool, error) {
	value, err := readSecret(path)
	if err != nil {
		return variable{}, false, &SettingError{Key: s.key, Value: path, Source: "env " + name, Reason: err.Error()}
	}
	return variable{name, value}, true, nil
}

// platformPort is the port that a hosting platform chose, on all interfaces.
func platformPort(s setting) (variable, bool, error) {
	port := os.Getenv(portVariable)
	if port == "" {
		return variable{}, false, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return variable{}, false, &SettingError{Key: s.key, Value: strconv.Quote(port), Source: "env " + portVariable, Reason: "expected a port, a number from 1 to 65535"}
	}
	return variable{portVariable, ":" + port}, true, nil
}

// readSecret returns what a file holds, without the newline at its end that an
// editor or echo puts there.
func readSecret(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", errors.New(fileReason(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	switch {
	case err != nil:
		return "", errors.New(fileReason(err))
	case len(text) > maxSecretBytes:
		return "", fmt.Errorf("the file is larger than %d bytes", maxSecretBytes)
	}
	value := strings.TrimSuffix(string(text), "\n")
	value = strings.TrimSuffix(value, "\r")
	if value == "" {
		return "", errors.New("the file is empty")
	}
	return value, nil
}

// serviceLink matches what Kubernetes puts into every container of a namespace
// that has a service called eventpulse, or eventpulse-something. They are not
// meant for this program.
var serviceLink = regexp.MustCompile(`^EVENTPULSE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// servicePort is the value of the one of those whose name says too little.
var servicePort = regexp.MustCompile(`^(tcp|udp|sctp)://`)

// unknownVariables reports every variable of environ that carries our prefix
// and sets nothing: most often a typing error, whose setting would silently
// stay what it was.
func unknownVariables(environ []string, all schema) []error {
	known := map[string]bool{configVariable: true}
	names := []string{configVariable}
	for _, s := range all {
		known[s.env()], known[s.env()+fileSuffix] = true, true
		names = append(names, s.env())
	}
	var problems []error
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case !strings.HasPrefix(name, envPrefix), known[name], value == "":
		case serviceLink.MatchString(name):
		case strings.HasSuffix(name, "_PORT") && servicePort.MatchString(value):
		default:
			problems = append(problems, &SettingError{
				Key: name, Source: "environment",
				Reason: "unknown variable" + didYouMean(name, names),
			})
		}
	}
	return problems
}
