package httpserver

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newPair returns a certificate of its own for localhost, and its key, in PEM.
func newPair(tb testing.TB, name string) (cert, key []byte) {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(tb, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(tb, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// files are where a server's certificate and key are.
type files struct {
	tb  testing.TB
	cfg TLSConfig
}

func newFiles(tb testing.TB) files {
	dir := tb.TempDir()
	f := files{tb, TLSConfig{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}}
	f.exchange("first")
	return f
}

// exchange writes a new pair, one file after the other.
func (f files) exchange(name string) {
	f.tb.Helper()
	cert, key := newPair(f.tb, name)
	require.NoError(f.tb, os.WriteFile(f.cfg.Cert, cert, 0o600))
	require.NoError(f.tb, os.WriteFile(f.cfg.Key, key, 0o600))
}

func startTLS(tb testing.TB, f *fake, files files, adjust ...func(*Config)) *testServer {
	tb.Helper()
	return startWith(tb, func(s *Server) {
		f.mount(s)
		s.certificate.interval = 0 // look at every handshake
	}, f, append(adjust, func(c *Config) { c.TLS = files.cfg })...)
}

// tlsClient returns a client of one connection, for HTTP/2 or not.
func tlsClient(tb testing.TB, http2, keepAlive bool) *http.Client {
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // each certificate is its own authority
		ForceAttemptHTTP2: http2,
		DisableKeepAlives: !keepAlive,
	}
	tb.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: timeout}
}

func (r *testServer) tlsURL(path string) string { return "https://" + r.Addr() + path }

// post posts a body and returns the answer.
func post(tb testing.TB, client *http.Client, url, body string) answer {
	tb.Helper()
	res, err := client.Post(url, "application/json", strings.NewReader(body))
	require.NoError(tb, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(tb, err)
	return answer{res, string(text)}
}

func TestTLS_TakesEventsByHTTP1AndHTTP2(t *testing.T) {
	r := startTLS(t, &fake{}, newFiles(t))
	for _, major := range []int{1, 2} {
		client := tlsClient(t, major == 2, true)
		for range 3 {
			a := post(t, client, r.tlsURL("/api/v1/events"), "{}")
			require.Equal(t, http.StatusAccepted, a.StatusCode)
			require.Equal(t, major, a.ProtoMajor)
			require.Equal(t, string(accepted), a.body)
		}
		// A body that is not wanted, and then the connection goes on.
		a := post(t, client, r.tlsURL("/api/v1/events"), strings.Repeat(" ", 100<<10))
		requireProblem(t, a, http.StatusRequestEntityTooLarge)
		requireProblem(t, post(t, client, r.tlsURL("/nowhere"), "{}"), http.StatusNotFound)
		require.Equal(t, http.StatusAccepted, post(t, client, r.tlsURL("/api/v1/events"), "{}").StatusCode)
	}
	require.Len(t, r.fake.seen(), 8)
}

func TestTLS_SeesContradictoryFraming(t *testing.T) {
	r := startTLS(t, &fake{}, newFiles(t))
	nc, err := tls.Dial("tcp", r.Addr(), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer nc.Close()
	_, err = io.WriteString(nc, events+"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
}

func TestTLS_TellsAClientWithoutIt(t *testing.T) {
	r := startTLS(t, &fake{}, newFiles(t))
	a := r.do(t, "GET", "/api/v1/events/health", nil)
	requireProblem(t, a, http.StatusBadRequest)
	require.Contains(t, a.body, "HTTPS")
	eventually(t, func() bool { return r.web.ln.open.Load() == 0 }, "closed")
	require.EqualValues(t, 1, valueOf(t, r.metrics.handshakeErrors))
}

// TestTLS_CertificateIsExchangedUnderLoad has clients of both protocols, some
// with a handshake for each request, while the files are rewritten.
func TestTLS_CertificateIsExchangedUnderLoad(t *testing.T) {
	files := newFiles(t)
	r := startTLS(t, &fake{}, files)
	var answered atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 6 {
		client := tlsClient(t, i%2 == 0, i%3 == 0)
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := client.Post(r.tlsURL("/api/v1/events"), "application/json", strings.NewReader("{}"))
				if err != nil {
					t.Errorf("post: %v", err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusAccepted {
					t.Errorf("status %d", res.StatusCode)
				}
				answered.Add(1)
			}
		})
	}
	for range 10 {
		before := answered.Load()
		eventually(t, func() bool { return answered.Load() > before+10 }, "load")
		files.exchange("next")
	}
	files.exchange("last")
	eventually(t, func() bool { return r.serves(t) == "last" }, "the last certificate")
	close(stop)
	clients.Wait()
}

// serves returns the name in the certificate that a client is shown.
func (r *testServer) serves(tb testing.TB) string {
	tb.Helper()
	nc, err := tls.Dial("tcp", r.Addr(), &tls.Config{InsecureSkipVerify: true})
	require.NoError(tb, err)
	defer nc.Close()
	return nc.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestTLS_BadCertificateKeepsTheOneBefore(t *testing.T) {
	files := newFiles(t)
	r := startTLS(t, &fake{}, files)
	failures := func() float64 { return valueOf(t, r.metrics.certFailures) }
	require.Equal(t, "first", r.serves(t))

	require.NoError(t, os.WriteFile(files.cfg.Cert, []byte("half a cert"), 0o600))
	for range 3 {
		require.Equal(t, "first", r.serves(t))
	}
	require.EqualValues(t, 1, failures(), "once for each change")
	require.Contains(t, r.log.String(), "the one before stays in use")

	cert, _ := newPair(t, "without its key")
	require.NoError(t, os.WriteFile(files.cfg.Cert, cert, 0o600))
	require.Equal(t, "first", r.serves(t))
	require.EqualValues(t, 2, failures())

	require.NoError(t, os.Remove(files.cfg.Key))
	for range 3 {
		require.Equal(t, "first", r.serves(t))
	}
	require.EqualValues(t, 3, failures())

	files.exchange("second")
	require.Equal(t, "second", r.serves(t))
	require.EqualValues(t, 3, failures())
}

func TestTLS_DrainAnswersWhatHasBegun(t *testing.T) {
	for _, major := range []int{1, 2} {
		g := newGate()
		r := startTLS(t, &fake{accept: g.wait}, newFiles(t))
		silent := r.dial(t) // and never a handshake
		client := tlsClient(t, major == 2, true)
		status := make(chan int, 1)
		go func() {
			res, err := client.Post(r.tlsURL("/api/v1/events"), "application/json", strings.NewReader("{}"))
			if err != nil {
				t.Error(err)
				status <- 0
				return
			}
			_ = res.Body.Close()
			status <- res.StatusCode
		}()
		receive(t, g.entered, "request")
		r.stop()
		eventually(t, func() bool {
			nc, err := net.Dial("tcp", r.Addr())
			if err == nil {
				_ = nc.Close()
			}
			return err != nil
		}, "the listener closes")
		close(g.open)
		require.Equal(t, http.StatusAccepted, receive(t, status, "answer"))
		client.CloseIdleConnections()
		require.NoError(t, r.ended())
		silent.requireClosed()
		require.Zero(t, r.web.ln.open.Load())
	}
}

func TestTLS_HangupEndsAStreamOfHTTP2(t *testing.T) {
	h, causes := endedHandler()
	files := newFiles(t)
	r := startMounted(t, func(s *Server) { s.Mount("GET /stream", h, Streaming()) }, shortWrites, func(c *Config) { c.TLS = files.cfg })
	res, err := tlsClient(t, true, true).Get(r.tlsURL("/stream"))
	require.NoError(t, err)
	require.Equal(t, 2, res.ProtoMajor)
	readUntil(t, bufio.NewReader(res.Body), "begun\n")
	require.NoError(t, res.Body.Close()) // resets the stream alone
	require.Error(t, receive(t, causes, "end of the context"))
}

func TestTLSConfig_Validate(t *testing.T) {
	require.NoError(t, TLSConfig{}.Validate())
	require.ErrorContains(t, TLSConfig{Cert: "a"}.Validate(), "http.tls.key")
	require.ErrorContains(t, TLSConfig{Key: "a"}.Validate(), "http.tls.cert")
	cfg := testConfig()
	cfg.TLS = TLSConfig{Cert: "/nowhere/tls.crt", Key: "/nowhere/tls.key"}
	_, err := New(cfg, quiet(), newRegistry())
	require.ErrorContains(t, err, "/nowhere/tls.crt")
}
