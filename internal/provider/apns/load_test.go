package apns

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"

	emulator "peal/emulator/apns"
	"peal/internal/peal"
	"peal/internal/provider"
)

// TestTenThousand sends 10,000 pushes to an Apple that takes 50 ms for each, 1,000 at a time.
func TestTenThousand(t *testing.T) {
	r := setup(t, emulator.Options{Latency: 50 * time.Millisecond, KeepPushes: 1, KeepShown: 1})
	const all, callers = 10_000, 1000
	var left, accepted atomic.Int64
	left.Store(all)
	start := time.Now()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if out := r.client.Send(t.Context(), message(testToken)); out.Class == peal.ClassAccepted {
					accepted.Add(1)
				} else {
					t.Errorf("got %+v", out)
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	t.Logf("%d in %v: %.0f a second", all, took.Round(time.Millisecond), all/took.Seconds())
	if accepted.Load() != all || r.emu.Counts().Accepted != all {
		t.Errorf("%d accepted, %d by the emulator's count", accepted.Load(), r.emu.Counts().Accepted)
	}
	if len(r.emu.Tokens()) != 1 {
		t.Errorf("%d provider tokens", len(r.emu.Tokens()))
	}
}

// BenchmarkNghttpd measures the client alone, over one connection, against a server of nghttp2 (Debian: nghttp2-server).
// That server answers 200 without an apns-id, which a push takes for an unknown outcome: so the calls are counted that
// were answered at all.
func BenchmarkNghttpd(b *testing.B) {
	bin, err := exec.LookPath("nghttpd")
	if err != nil {
		b.Skip("nghttpd is not installed (Debian: nghttp2-server): the client's speed is NOT measured")
	}
	base, ca := startNghttpd(b, bin)
	in := &peal.Integration{
		ID: "in-1", Kind: "apns", BaseURL: base, Timeout: 20 * time.Second, CA: ca,
		Credentials: map[string]string{"team_id": "TEAM000001", "key_id": "KEY0000001", "key": newP8(b)},
	}
	opened, err := Kind{}.Open(in, provider.Env{Dial: (&net.Dialer{}).DialContext, Tokens: &sharedTokens{}})
	if err != nil {
		b.Fatal(err)
	}
	defer opened.Close()
	c := opened.(*client)
	c.poolConfig.max = 1
	m := message(testToken)
	m.Content.Push.Data = map[string]string{"k": string(bytes.Repeat([]byte("x"), 700))} // about 1 kB in all
	if out := c.Send(b.Context(), m); out.Code != codeBadAnswer {
		b.Fatalf("got %+v", out)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour) // a call's end is its caller's
	defer cancel()
	before := processorTime(b)
	b.ResetTimer()
	b.SetParallelism(100) // callers, times the cores
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if out := c.Send(ctx, m); out.Code != codeBadAnswer {
				b.Errorf("got %+v", out)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pushes/s")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/push") // of this process; a busy machine changes it less
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// startNghttpd serves a file where the test's device is, over TLS.
func startNghttpd(b *testing.B, bin string) (base, ca string) {
	b.Helper()
	dir := b.TempDir()
	root := filepath.Join(dir, "root")
	file := filepath.Join(root, "3", "device", testToken)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o644)); err != nil {
		b.Fatal(err)
	}
	certPEM, keyPEM := newCertificate(b)
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := errors.Join(os.WriteFile(cert, certPEM, 0o600), os.WriteFile(key, keyPEM, 0o600)); err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	cmd := exec.CommandContext(b.Context(), bin, "-a", "127.0.0.1", "-d", root, "-m", cmp.Or(os.Getenv("PEAL_TEST_STREAMS"), "1000"), strconv.Itoa(port), key, cert)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	until(b, "nghttpd listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return "https://" + addr, string(certPEM)
}

// newCertificate makes one that names 127.0.0.1 and vouches for itself.
func newCertificate(b *testing.B) (cert, key []byte) {
	b.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nghttpd"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, pair.Public(), pair)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		b.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}
