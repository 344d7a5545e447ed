package consumertest_test

import (
	"os"
	"testing"

	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }
