package config

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// readYAML reads the file at path into v, each scalar as the text that is
// written there: whether 1.10 is a number or a version, and 012 ten or twelve,
// is for the setting to say.
func readYAML(v *viper.Viper, path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	in := yaml.NewDecoder(bytes.NewReader(text))
	var file map[string]yamlNode
	if err := in.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return yamlError{err}
	}
	if err := in.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return yamlError{errors.New("there is more than one document")}
	}
	return v.MergeConfigMap(plain(file))
}

// yamlError says that a file is not the YAML that is expected.
type yamlError struct{ error }

// yamlNode is a YAML value whose scalars are text: nil, a string, a []any or
// a map[string]any. Anchors and merge keys are resolved.
type yamlNode struct{ value any }

// UnmarshalYAML implements [yaml.Unmarshaler]. It is not called for null.
func (y *yamlNode) UnmarshalYAML(node *yaml.Node) error {
	switch node.Kind {
	case yaml.MappingNode:
		var m map[string]yamlNode
		if err := node.Decode(&m); err != nil {
			return err
		}
		y.value = plain(m)
	case yaml.SequenceNode:
		var list []yamlNode
		if err := node.Decode(&list); err != nil {
			return err
		}
		items := make([]any, len(list))
		for i, item := range list {
			items[i] = item.value
		}
		y.value = items
	default:
		y.value = node.Value
	}
	return nil
}

func plain(m map[string]yamlNode) map[string]any {
	values := make(map[string]any, len(m))
	for key, v := range m {
		values[key] = v.value
	}
	return values
}
