package app

import (
	"log/slog"
	"os"
	"testing"

	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
