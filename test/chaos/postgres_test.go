package chaos

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgres is a server of its own, with all that it promises: it syncs.
type postgres struct {
	*process
	url string
}

// programs finds the folder of PostgreSQL's programs, or skips the test.
func programs(t *testing.T) string {
	t.Helper()
	var folders []string
	if out, err := exec.CommandContext(t.Context(), "pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, strings.TrimSpace(string(out)))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is a good one
	slices.Reverse(debian)
	for _, dir := range append(folders, debian...) {
		_, err1 := os.Stat(filepath.Join(dir, "initdb"))
		_, err2 := os.Stat(filepath.Join(dir, "postgres"))
		if err1 == nil && err2 == nil {
			return dir
		}
	}
	t.Skip("SKIPPED: PostgreSQL is not installed (apt-get install postgresql), so nobody has looked whether the large size survives")
	return ""
}

// owner is who is to run PostgreSQL, which refuses to be run by root.
func owner(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Skip("SKIPPED: PostgreSQL does not run as root, and there is no user postgres; nobody has looked whether the large size survives")
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func startPostgres(t *testing.T, w *world, p *ports) *postgres {
	t.Helper()
	bin, as := programs(t), owner(t)
	data, err := os.MkdirTemp("", "peal-chaos-postgres") //nolint:usetesting // the test's own folder is for no other user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) }) // what is left is in the temporary folder
	if as != nil {
		if err := os.Chown(data, int(as.Uid), int(as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	sys := &syscall.SysProcAttr{Credential: as}
	initdb := exec.CommandContext(t.Context(), filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "peal", "-E", "UTF8", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = sys, data
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	addr := p.addr(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	pg := &postgres{url: "postgres://peal@" + addr + "/postgres?sslmode=disable"}
	pg.process = &process{
		name: "postgres", log: filepath.Join(w.dir, "postgres.log"),
		build: func() *exec.Cmd {
			cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", port, "-k", data, "-c", "listen_addresses="+host,
				"-c", "max_connections=300", "-c", "shared_buffers=256MB", "-c", "max_locks_per_transaction=256", "-c", "max_wal_size=4GB", "-c", "log_line_prefix=%m ") //nolint:noctx // it is killed, not canceled
			cmd.SysProcAttr, cmd.Dir = sys, data
			return cmd
		},
		fell: func(err error) { w.broken("PostgreSQL ended by itself: %v", err) },
	}
	t.Cleanup(func() { _ = pg.end(syscall.SIGQUIT, 20*time.Second) }) // nobody needs it any more
	if err := pg.up(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, pg.tail())
	}
	return pg
}

// up starts it and waits until it answers.
func (pg *postgres) up(ctx context.Context) error {
	if err := pg.start(); err != nil {
		return err
	}
	err := await(ctx, time.Minute, "PostgreSQL that answers", func(ctx context.Context) bool {
		conn, err := pgx.Connect(ctx, pg.url)
		if err != nil {
			return false
		}
		return conn.Close(ctx) == nil
	})
	if err == nil {
		pg.works()
	}
	return err
}

// await asks again and again until it is so.
func await(ctx context.Context, within time.Duration, what string, is func(ctx context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		tctx, tcancel := context.WithTimeout(ctx, 2*time.Second)
		ok := is(tctx)
		tcancel()
		if ok {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("never came to be within %s: %s", within, what)
		}
	}
}
