package e2e

import (
	"bytes"
	"encoding/json"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

// sameJSON says whether two texts are the same JSON value, numbers compared as
// the decimal numbers they are and not as binary approximations.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	return same(t, decode(t, a), decode(t, b))
}

func decode(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v), text)
	return v
}

func same(t *testing.T, a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok || !same(t, v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !same(t, x[i], y[i]) {
				return false
			}
		}
		return true
	case json.Number:
		y, ok := b.(json.Number)
		if !ok {
			return false
		}
		p, okP := new(big.Rat).SetString(x.String())
		q, okQ := new(big.Rat).SetString(y.String())
		return okP && okQ && p.Cmp(q) == 0
	default:
		return a == b
	}
}

func TestSameJSONTellsApart(t *testing.T) {
	for _, pair := range [][2]string{
		{`{"a":1.0,"b":[1,2]}`, `{"b":[1,2],"a":1}`}, {`123456789012345678901`, `1.23456789012345678901e20`},
	} {
		require.True(t, sameJSON(t, pair[0], pair[1]), pair)
	}
	for _, pair := range [][2]string{
		{`123456789012345678901`, `123456789012345678902`}, {`{"a":1}`, `{"a":1,"b":null}`}, {`[1,2]`, `[2,1]`}, {`"1"`, `1`}, {`null`, `false`},
	} {
		require.False(t, sameJSON(t, pair[0], pair[1]), pair)
	}
}
