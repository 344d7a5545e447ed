package config

import (
	"reflect"

	"github.com/spf13/pflag"
)

// configFlag names the flag that names the file.
const configFlag = "config"

// AddFlags adds a flag for every setting that any of the roles has, under the
// setting's own key (--http.addr), and --config for the file. Help shows the
// defaults of the first role. Values are checked by [Load], all together, not
// while flags are parsed.
func AddFlags(fs *pflag.FlagSet, role Role, more ...Role) {
	addFlags(fs, reflect.ValueOf(Default(role)), sectionsOf(append([]Role{role}, more...)))
}

func addFlags(fs *pflag.FlagSet, defaults reflect.Value, sections []string) {
	fs.String(configFlag, "", "YAML file to read; without it "+firstFile+" or "+secondFile+", where there is one")
	for _, s := range settingsOf(defaults.Type()).of(sections) {
		flag := fs.VarPF(&flagValue{text: s.shown(defaults), kind: s.kind}, s.key, "", s.usage)
		if s.kind == kindSwitch {
			flag.NoOptDefVal = "true"
		}
	}
}

// flagValue holds a flag's text as given.
type flagValue struct {
	text string
	kind kind
}

func (f *flagValue) String() string { return f.text }

func (f *flagValue) Set(text string) error {
	f.text = text
	return nil
}

// Type is what --help shows after the flag's name.
func (f *flagValue) Type() string { return f.kind.String() }

// boundFlag hands a flag to viper as text, whatever its type is called: viper
// would turn what is no number into 0 without a word.
type boundFlag struct{ *pflag.Flag }

func (b boundFlag) Name() string        { return b.Flag.Name }
func (b boundFlag) HasChanged() bool    { return b.Changed }
func (b boundFlag) ValueString() string { return b.Value.String() }
func (b boundFlag) ValueType() string   { return "string" }
