package fakepeal

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// FaultsVar is the environment variable that says how a test's own binary, run in the place of peal, is to err.
const FaultsVar = "BENCH_FAKE_PEAL"

// Command is `peal serve` as the bench calls it. It returns the exit code.
func Command(args []string, faults string) int {
	if err := serve(args, faults); err != nil {
		fmt.Fprintln(os.Stderr, "fake peal:", err)
		return 1
	}
	return 0
}

func serve(args []string, faults string) error {
	if len(args) == 0 || args[0] != "serve" {
		return fmt.Errorf("arguments %q", args)
	}
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen, data := fs.String("listen", "", ""), fs.String("data", "", "")
	networks, crash := fs.String("allow-private-networks", "", ""), fs.Bool("crash", false, "")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	if *networks == "" || len(os.Getenv("PEAL_MASTER_KEY")) != 44 || len(os.Getenv("PEAL_OPERATOR_KEY")) < 24 {
		return errors.New("something that peal needs is not set")
	}
	if *crash {
		return errors.New("crashing as asked")
	}
	var f Faults
	if _, err := fmt.Sscan(faults, &f.Lose, &f.Double, &f.Refuse, &f.Stray, &f.Die); err != nil {
		return fmt.Errorf("%s=%q: %w", FaultsVar, faults, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fake, path := New(os.Getenv("PEAL_OPERATOR_KEY"), f), filepath.Join(*data, "peal.db")
	if err := fake.Load(path); err != nil {
		return err
	}
	srv := &http.Server{Handler: fake}
	go func() {
		<-ctx.Done()
		_ = srv.Close() // ends Serve
	}()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return fake.Save(path)
}
