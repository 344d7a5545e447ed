package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestYAML_ScalarsAreTheTextThatIsWritten(t *testing.T) {
	isolate(t)
	for content, want := range map[string]string{
		"5": "5", "true": "true", "True": "True", "no": "no", "-0.5": "-0.5", `"1.10"`: "1.10", "'012'": "012",
		"1.10": "1.10", "012": "012", "0x1F": "0x1F", "1_000": "1_000", "1e3": "1e3", "2026-01-02": "2026-01-02",
		".inf": ".inf", "9007199254740993": "9007199254740993", "123456789012345678901234567890": "123456789012345678901234567890",
		`"null"`: "null", "!!str 1.10": "1.10", "|-\n  a\n  b": "a\nb",
	} {
		c, _, err := loadTest(t, "--config", writeFile(t, "door:\n addr: "+content+"\n"))
		require.NoError(t, err, content)
		require.Equal(t, want, c.Door.Addr, content)
	}
	for _, content := range []string{"", "null", "~", "# nothing"} {
		c, entries, err := loadTest(t, "--config", writeFile(t, "door:\n addr: "+content+"\n"))
		require.NoError(t, err, content)
		require.Equal(t, ":1", c.Door.Addr, content)
		require.Equal(t, "default", entries["door.addr"].Source)
	}
}

func TestYAML_NumbersAreDecimal(t *testing.T) {
	isolate(t)
	c, _, err := loadTest(t, "--config", writeFile(t, "door: {visitors: 012, max_bytes: 0100, names: [1.10, 012]}"))
	require.NoError(t, err)
	require.Equal(t, 12, c.Door.Visitors)
	require.EqualValues(t, 100, c.Door.MaxBytes)
	require.Equal(t, []string{"1.10", "012"}, c.Door.Names)
	for _, content := range []string{"0x1F", "1_000", "1e3", "1.0"} {
		_, _, err := loadTest(t, "--config", writeFile(t, "door: {visitors: "+content+"}"))
		require.ErrorContains(t, err, `door.visitors = "`+content+`"`)
		require.ErrorContains(t, err, "expected a whole number")
	}
}

func TestYAML_AnchorsAndMergeKeys(t *testing.T) {
	isolate(t)
	c, _, err := loadTest(t, "--config", writeFile(t, `
door: &door
  addr: &addr "1.10"
  visitors: 3
redis: {url: redis://x, nested: {level: 4}}
`))
	require.NoError(t, err)
	require.Equal(t, "1.10", c.Door.Addr)
	c, _, err = loadTest(t, "--config", writeFile(t, `
redis: {url: &url redis://x, nested: &nested {level: 4}}
door: {addr: *url, <<: {visitors: 7}}
`))
	require.NoError(t, err)
	require.Equal(t, "redis://x", c.Door.Addr)
	require.Equal(t, 7, c.Door.Visitors)
	require.Equal(t, 4, c.Redis.Nested.Level)
}

func TestYAML_SaysWhereItIsWrong(t *testing.T) {
	isolate(t)
	for _, content := range []string{
		"door:\n\taddr: x\n", "- a\n- b\n", "door: {addr: a}\ndoor: {addr: b}\n", "door: {addr: a}\n---\ndoor: {addr: b}\n", "door: *none\n",
	} {
		_, _, err := loadTest(t, "--config", writeFile(t, content))
		require.ErrorContains(t, err, "is not the YAML it should be", content)
	}
}
