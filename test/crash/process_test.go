package crash

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"peal/client"
)

const startTimeout = time.Minute // a busy machine starts slowly

// process is a `peal serve` that is killed and started again. Its address, keys and data stay.
type process struct {
	bin      string
	data     string
	log      string
	addr     string
	operator string
	master   string
	running  *exec.Cmd
	exited   chan error
}

// TestMain removes what built has made.
func TestMain(m *testing.M) {
	code := m.Run()
	if builtIn != "" {
		_ = os.RemoveAll(builtIn) // it lies in the system's temporary folder
	}
	os.Exit(code)
}

// builtIn is the folder of what was built.
var builtIn string

// built is the file of peal, compiled once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "peal-crash-")
	if err != nil {
		return "", fmt.Errorf("make a folder: %w", err)
	}
	builtIn = dir
	bin := filepath.Join(dir, "peal")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/peal") //nolint:noctx // for all tests, not one
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build peal: %w\n%s", err, out)
	}
	return bin, nil
})

// build gives a process that is yet to be started.
func build(t *testing.T) *process {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &process{
		bin: bin, data: filepath.Join(dir, "data"), log: filepath.Join(dir, "log"), addr: freeAddr(t),
		operator: secret(), master: secret(),
	}
	t.Cleanup(func() {
		if p.running != nil {
			p.kill(t)
		}
	})
	return p
}

func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// freeAddr finds an address below those that the system gives to whoever connects: while the process is down nobody
// should be given its port.
func freeAddr(t *testing.T) string {
	t.Helper()
	for port := 20_000 + os.Getpid()%10_000; port < 32_000; port++ {
		addr := fmt.Sprint("127.0.0.1:", port)
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
		if err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// start runs it and waits until it is ready.
func (p *process) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	cmd := exec.Command(p.bin, "serve", "--listen", p.addr, "--data", p.data, "--allow-private-networks", "127.0.0.0/8",
		"--ledger-every", "1s") //nolint:noctx // it is killed, not canceled
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "PEAL_MASTER_KEY="+p.master, "PEAL_OPERATOR_KEY="+p.operator)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.running, p.exited = cmd, make(chan error, 1)
	go func(exited chan<- error) { exited <- cmd.Wait() }(p.exited)
	asked, err := client.New("http://"+p.addr, "")
	if err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	limit := time.After(startTimeout)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		err := asked.Ready(ctx)
		cancel()
		if err == nil {
			return
		}
		select {
		case err := <-p.exited:
			p.running = nil
			t.Fatalf("peal did not start: %v\n%s", err, p.tail(20))
		case <-limit:
			t.Fatalf("peal is not ready after %s: %v\n%s", startTimeout, err, p.tail(20))
		case <-again.C:
		}
	}
}

// kill ends it as a power failure would, and waits until it is gone.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.running.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	err := <-p.exited
	p.running = nil
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Success() || exit.ExitCode() != -1 {
		t.Errorf("peal had ended by itself: %v\n%s", err, p.tail(20))
	}
}

// wipe deletes what the broker has kept.
func (p *process) wipe(t *testing.T) {
	t.Helper()
	broker := filepath.Join(p.data, "broker")
	if _, err := os.Stat(broker); err != nil {
		t.Fatalf("the broker's folder is not where it was: %v", err)
	}
	if err := os.RemoveAll(broker); err != nil {
		t.Fatal(err)
	}
}

// lines are those of the log with this text.
func (p *process) lines(text string) (found []string) {
	f, err := os.Open(p.log)
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // only read
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.Contains(s.Text(), text) {
			found = append(found, s.Text())
		}
	}
	return found
}

// tail is the end of the log.
func (p *process) tail(n int) string {
	all := p.lines("")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}
