// Package services starts the servers that rivals and the large size stand on: PostgreSQL, Redis and NATS, each as a
// process of its own, with its data in a folder of the run and on a free port.
package services

import (
	"context"
	"errors"
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

	"github.com/jackc/pgx/v5"

	"peal/bench/internal/proc"
)

// ErrMissing is of a server that is not installed; its text says what to install.
var ErrMissing = errors.New("something is not installed")

// Postgres is a running PostgreSQL with one empty database.
type Postgres struct {
	*proc.Process
	URL string
	how proc.Config
}

// pgTuned is what whoever runs a busy PostgreSQL sets first. Durability stays at its default.
func pgTuned(dir, addr string, durable bool) []string {
	host, port, _ := net.SplitHostPort(addr) // FreeAddr made it
	settings := []string{
		"listen_addresses=" + host, "port=" + port, "unix_socket_directories=" + dir,
		"shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=15min", "wal_compression=on", "max_connections=200",
	}
	if !durable {
		settings = append(settings, "synchronous_commit=off")
	}
	return settings
}

// StartPostgres makes a cluster in a folder of dir and serves it. Where not durable, commits do not wait for the disk.
func StartPostgres(ctx context.Context, dir string, durable bool) (*Postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	as, home, err := postgresUser(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(home, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	initdb.Dir = home
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	addr, err := proc.FreeAddr()
	if err != nil {
		return nil, err
	}
	args := []string{filepath.Join(bin, "postgres"), "-D", data}
	for _, s := range pgTuned(home, addr, durable) {
		args = append(args, "-c", s)
	}
	pg := &Postgres{URL: "postgres://bench@" + addr + "/postgres?sslmode=disable"}
	pg.how = proc.Config{
		Name: "postgres", Dir: dir, Args: args, Work: home, As: as,
		Stop:  syscall.SIGINT, // its "fast" way: clients are cut off
		Ready: pg.ping,
	}
	pg.Process, err = proc.Start(ctx, pg.how)
	return pg, err
}

// Restart ends it in its fast way, which cuts clients off, and starts it again.
func (pg *Postgres) Restart(ctx context.Context) (err error) {
	if err := pg.Stop(); err != nil {
		return err
	}
	pg.Process, err = proc.Start(ctx, pg.how)
	return err
}

func (pg *Postgres) ping(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, pg.URL)
	if err != nil {
		return err
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}

// Exec runs statements, such as a schema.
func (pg *Postgres) Exec(ctx context.Context, statements string) error {
	conn, err := pgx.Connect(ctx, pg.URL)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statements)
	return errors.Join(err, conn.Close(ctx))
}

// postgresBin finds the newest installed server; Debian keeps it out of the PATH.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%w: no PostgreSQL server is here; install one (Debian: apt-get install postgresql)", ErrMissing)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // of other forms: last
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

// postgresUser makes the server's folder. PostgreSQL refuses to run as root, so then it is the user postgres's, and all
// folders above have to let that one through.
func postgresUser(dir string) (*syscall.Credential, string, error) {
	home, err := filepath.Abs(filepath.Join(dir, "postgres"))
	if err != nil {
		return nil, "", err
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, "", err
	}
	if os.Getuid() != 0 {
		return nil, home, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, "", fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, "", err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, "", err
	}
	as := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(home, int(uid), int(gid)); err != nil {
		return nil, "", err
	}
	look := exec.Command("test", "-w", home)
	look.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if look.Run() != nil {
		return nil, "", fmt.Errorf("the user postgres cannot reach %s: choose another folder with -dir, or open those above (chmod o+x)", home)
	}
	return as, home, nil
}
