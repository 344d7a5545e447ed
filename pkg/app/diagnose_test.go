package app

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/doctor"
)

// Addresses at which nothing listens.
const (
	noRedis    = "redis://:hunter2@127.0.0.1:1"
	noDatabase = "postgres://me:hunter2@127.0.0.1:1/events?sslmode=disable"
)

// statuses returns the findings by their check.
func statuses(r doctor.Report) map[string]doctor.Status {
	all := map[string]doctor.Status{}
	for _, f := range r.Findings {
		all[f.Check] = f.Status
	}
	return all
}

func TestDiagnose_LooksAtWhatIsConfigured(t *testing.T) {
	cfg := config.Default(config.Doctor)
	cfg.Redis.URL, cfg.Database.URL = noRedis, "sqlite:"+filepath.Join(t.TempDir(), "events.db")
	cfg.Spool.Dir = filepath.Join(t.TempDir(), "spool")
	before := statuses(Diagnose(t.Context(), cfg, quiet()))
	require.Equal(t, doctor.Problem, before["redis.reachable"])
	require.Equal(t, doctor.Problem, before["database.reachable"])
	require.Equal(t, doctor.OK, before["spool.dir"])

	require.NoError(t, migrate(t.Context(), cfg, quiet()))
	after := statuses(Diagnose(t.Context(), cfg, quiet()))
	require.Equal(t, doctor.OK, after["database.schema"])
	require.Equal(t, doctor.Warning, after["database.kind"])

	cfg.Spool.Dir, cfg.Database.URL = "", noDatabase
	without := statuses(Diagnose(t.Context(), cfg, quiet()))
	require.Equal(t, doctor.Warning, without["spool.dir"])
	require.Equal(t, doctor.Problem, without["database.reachable"])
}

func TestDiagnose_NamesTheSettingThatIsWrong(t *testing.T) {
	cfg := config.Default(config.Doctor)
	cfg.Redis.URL, cfg.Database.URL = "http://x", "mysql://x"
	for _, f := range Diagnose(t.Context(), cfg, quiet()).Findings {
		switch f.Check {
		case "redis.reachable":
			require.Equal(t, "correct redis.url", f.Remedy)
		case "database.reachable":
			require.Equal(t, "correct database.url", f.Remedy)
		}
	}
}
