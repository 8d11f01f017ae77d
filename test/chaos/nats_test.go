package chaos

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const natsPassword = "of-the-tests"

// natsServer is one of the cluster's.
type natsServer struct {
	*process
	addr, route, monitor string
}

func startCluster(t *testing.T, w *world, p *ports) (all [3]*natsServer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i] = &natsServer{addr: p.addr(t), route: p.addr(t), monitor: p.addr(t)}
	}
	for i, s := range all {
		name := fmt.Sprint("nats", i)
		file := filepath.Join(w.dir, name+".conf")
		if err := os.WriteFile(file, []byte(s.config(name, w.dir, all)), 0o600); err != nil {
			t.Fatal(err)
		}
		s.process = &process{
			name: name, log: filepath.Join(w.dir, name+".log"),
			build: func() *exec.Cmd {
				cmd := exec.Command(self) //nolint:noctx // it is killed, not canceled
				cmd.Env = append(os.Environ(), natsConfig+"="+file)
				return cmd
			},
			fell: func(err error) { w.broken("%s ended by itself: %v", name, err) },
		}
		t.Cleanup(func() { _ = s.end(syscall.SIGKILL, time.Minute) }) // a kill does not fail
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := whole(t.Context(), all); err != nil {
		t.Fatalf("%v\n%s", err, all[0].tail())
	}
	return all
}

func (s *natsServer) config(name, dir string, all [3]*natsServer) string {
	var routes []string
	for _, o := range all {
		if o != s {
			routes = append(routes, fmt.Sprintf("%q", "nats-route://"+o.route))
		}
	}
	return fmt.Sprintf(`server_name: %s
listen: %q
http: %q
max_payload: 8MB
log_file: %q
jetstream { store_dir: %q, max_file_store: 1TB, max_memory_store: 1GB }
cluster { name: chaos, listen: %q, routes: [%s] }
accounts {
  SYS { users: [{user: sys, password: %[8]s}] }
  PEAL { jetstream: enabled, users: [{user: peal, password: %[8]s}] }
}
system_account: SYS
`, name, s.addr, s.monitor, filepath.Join(dir, name+".log"), filepath.Join(dir, name), s.route, strings.Join(routes, ", "), natsPassword)
}

// whole waits until all servers are in the cluster and up to date.
func whole(ctx context.Context, all [3]*natsServer) error {
	return await(ctx, 90*time.Second, "a NATS cluster that is whole", func(ctx context.Context) bool {
		for _, s := range all {
			if !answers(ctx, "http://"+s.monitor+"/healthz") {
				return false
			}
			s.works()
		}
		return true
	})
}

// answers tells whether a URL answers 200.
func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close() // nothing of it is wanted
	return res.StatusCode == http.StatusOK
}

// natsURLs are the cluster's for clients.
func natsURLs(all [3]*natsServer) string {
	urls := make([]string, len(all))
	for i, s := range all {
		urls[i] = "nats://peal:" + natsPassword + "@" + s.addr
	}
	return strings.Join(urls, ",")
}
