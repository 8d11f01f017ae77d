// Command asynq is the notification service that an application would write over asynq, Redis and PostgreSQL, in two
// forms: "tutorial", as the libraries' guides write it, and "tuned", as somebody would who has measured it. The bench
// starts it in the place of Peal and sends it the same requests.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// config comes from the environment, as the bench sets it.
type config struct {
	listen, redis, database, provider, key string
	concurrency                            int
}

// service is a form of the application.
type service interface {
	// accept writes the messages' rows and queues their jobs.
	accept(ctx context.Context, msgs []message) error
	close()
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: asynq tutorial|tuned")
	}
	cfg := config{
		listen: os.Getenv("LISTEN"), redis: os.Getenv("REDIS_ADDR"), database: os.Getenv("DATABASE_URL"),
		provider: os.Getenv("PROVIDER"), key: os.Getenv("KEY"),
	}
	if _, err := fmt.Sscan(os.Getenv("CONCURRENCY"), &cfg.concurrency); err != nil {
		return fmt.Errorf("CONCURRENCY: %w", err)
	}
	var (
		svc service
		err error
	)
	switch args[0] {
	case "tutorial":
		svc, err = newTutorial(ctx, cfg)
	case "tuned":
		svc, err = newTuned(ctx, cfg)
	default:
		err = fmt.Errorf("no form %q", args[0])
	}
	if err != nil {
		return err
	}
	srv := &http.Server{Addr: cfg.listen, Handler: routes(cfg.key, svc)}
	go func() {
		<-ctx.Done()
		_ = srv.Shutdown(context.WithoutCancel(ctx)) // ends ListenAndServe
	}()
	err = srv.ListenAndServe()
	svc.close()
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
