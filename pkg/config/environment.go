package config

import (
	"os"
	"regexp"
	"strings"
)

// envPrefix begins every variable that is ours.
const envPrefix = "EVENTPULSE_"

// configVariable names the file, below --config.
const configVariable = envPrefix + "CONFIG"

// variables lists the environment variables that set s, strongest first.
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

// variableOf returns the variable that is in force for s. An empty one counts
// as not set: that is what "${NAME:-}" in a compose file leaves behind.
func variableOf(s setting) (string, bool) {
	for _, name := range s.variables() {
		if os.Getenv(name) != "" {
			return name, true
		}
	}
	return "", false
}

// serviceLink matches what Kubernetes puts into every container of a namespace
// that has a service called eventpulse, or eventpulse-something. Nobody meant
// those for us.
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
		known[s.env()] = true
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
