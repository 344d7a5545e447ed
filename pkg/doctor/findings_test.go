package doctor

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func findingOf(found []Finding, check string) *Finding {
	for i := range found {
		if found[i].Check == check {
			return &found[i]
		}
	}
	return nil
}

func requireFinding(t *testing.T, name string, found findings, check string, status Status, says string) {
	t.Helper()
	f := findingOf(found, check)
	require.NotNil(t, f, "%s: %+v", name, found)
	require.Equal(t, status, f.Status, "%s: %+v", name, *f)
	require.Contains(t, f.Message+" "+f.Remedy, says, name)
	if status != Unknown {
		require.Equal(t, status != OK, f.Remedy != "", "%s: %+v", name, *f)
	}
	for _, f := range found {
		require.False(t, strings.ContainsAny(f.Message+f.Remedy, "\n\t"), "%s: %+v", name, f)
		require.NotContains(t, f.Message+f.Remedy, "%!", name)
	}
}
