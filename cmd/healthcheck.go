package cmd

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/config"
)

func newHealthcheck() *cobra.Command {
	var addr string
	var live bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running serve or work on this machine whether it is ready",
		Long: `Ask a running serve or work on this machine whether it is ready, for use as a
container's health check: exit code 0 means that it is. Without --addr it asks at
admin.addr where that is configured, else at the default ports of serve and
work.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			addrs := []string{addr}
			if addr == "" {
				var err error
				if addrs, err = adminAddrs(); err != nil {
					return err
				}
			}
			path := "/readyz"
			if live {
				path = "/livez"
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return anyHealthy(ctx, cmd.OutOrStdout(), addrs, path)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "", "admin address to ask, host:port")
	cmd.Flags().BoolVar(&live, "live", false, "ask only whether the process is alive")
	cmd.Flags().DurationVar(&timeout, "timeout", 3*time.Second, "longest wait for the answer")
	return cmd
}

// adminAddrs is where serve and work listen, as far as the environment and the
// file tell.
func adminAddrs() ([]string, error) {
	var addrs []string
	for _, role := range []config.Role{config.Serve, config.Work} {
		loaded, err := config.Load(role, nil)
		if err != nil {
			return nil, usageError{err}
		}
		if a := loaded.Config.Admin.Addr; a != "" && (len(addrs) == 0 || addrs[0] != a) {
			addrs = append(addrs, a)
		}
	}
	if len(addrs) == 0 {
		return nil, usageError{fmt.Errorf("admin.addr is empty: there is no address to ask")}
	}
	return addrs, nil
}

// anyHealthy asks at each address until one says yes, and otherwise returns
// what the last one that answered said.
func anyHealthy(ctx context.Context, out io.Writer, addrs []string, path string) error {
	var failure, unreachable error
	for _, addr := range addrs {
		status, body, err := get(ctx, addr, path)
		switch {
		case err != nil:
			unreachable = err
		case status == http.StatusOK:
			_, err = fmt.Fprintln(out, body)
			return err
		default:
			failure = fmt.Errorf("%s at %s answers %d: %s", path, addr, status, body)
		}
	}
	if failure != nil {
		return failure
	}
	return unreachable
}

func get(ctx context.Context, addr, path string) (int, string, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return 0, "", usageError{fmt.Errorf("--addr is %q: must be host:port", addr)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+dialable(addr)+path, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	return res.StatusCode, strings.TrimSpace(string(body)), err
}

// dialable turns an address that is listened on into one to connect to.
func dialable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
