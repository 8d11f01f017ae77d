package services

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/redis/go-redis/v9"

	"peal/bench/internal/proc"
)

// Redis is a running Redis.
type Redis struct {
	*proc.Process
	Addr string
}

// StartRedis serves from a folder of dir. The sync is appendfsync's: "always", "everysec", or "none" for a Redis that
// writes no log at all.
func StartRedis(ctx context.Context, dir, sync string) (*Redis, error) {
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("%w: no redis-server is here; install it (Debian: apt-get install redis-server)", ErrMissing)
	}
	data, err := filepath.Abs(filepath.Join(dir, "redis"))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	addr, err := proc.FreeAddr()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	args := []string{bin, "--bind", host, "--port", port, "--dir", data, "--save", "", "--maxmemory-policy", "noeviction"}
	if sync == "none" {
		args = append(args, "--appendonly", "no")
	} else {
		args = append(args, "--appendonly", "yes", "--appendfsync", sync)
	}
	r := &Redis{Addr: addr}
	r.Process, err = proc.Start(ctx, proc.Config{Name: "redis", Dir: dir, Args: args, Ready: r.ping})
	return r, err
}

func (r *Redis) ping(ctx context.Context) error {
	c := redis.NewClient(&redis.Options{Addr: r.Addr, MaxRetries: -1})
	return errors.Join(c.Ping(ctx).Err(), c.Close())
}
