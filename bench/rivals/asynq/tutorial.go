package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"log"
	"net/http"

	"github.com/hibiken/asynq"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

const typeSend = "notification:send"

// tutorial is written as asynq's and database/sql's guides write it: a statement per row, a task per message, ten
// workers, everything at its default.
type tutorial struct {
	db       *sql.DB
	client   *asynq.Client
	server   *asynq.Server
	provider string
}

func newTutorial(ctx context.Context, cfg config) (service, error) {
	db, err := sql.Open("pgx", cfg.database)
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, err
	}
	// The one thing that guides leave out and that cannot be left out: without it a burst opens more connections than
	// PostgreSQL takes, and requests fail.
	db.SetMaxOpenConns(25)
	opt := asynq.RedisClientOpt{Addr: cfg.redis}
	t := &tutorial{
		db: db, client: asynq.NewClient(opt), provider: cfg.provider,
		server: asynq.NewServer(opt, asynq.Config{Concurrency: 10, LogLevel: asynq.WarnLevel}),
	}
	mux := asynq.NewServeMux()
	mux.HandleFunc(typeSend, t.work)
	return t, t.server.Start(mux)
}

func (t *tutorial) accept(ctx context.Context, msgs []message) error {
	for _, m := range msgs {
		_, err := t.db.ExecContext(ctx, `INSERT INTO notification_log (id, recipient, body, status) VALUES ($1, $2, $3, 'queued')`,
			m.ID, m.To, m.Text)
		if err != nil {
			return err
		}
		payload, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if _, err := t.client.EnqueueContext(ctx, asynq.NewTask(typeSend, payload)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tutorial) work(ctx context.Context, task *asynq.Task) error {
	var m message
	if err := json.Unmarshal(task.Payload(), &m); err != nil {
		return err
	}
	id, err := send(ctx, http.DefaultClient, t.provider, m)
	if err != nil {
		log.Print("send: ", err)
		return err
	}
	_, err = t.db.ExecContext(ctx, `UPDATE notification_log SET status = 'sent', message_id = $2, attempts = attempts + 1,
		sent_at = now(), updated_at = now() WHERE id = $1`, m.ID, id)
	return err
}

func (t *tutorial) close() {
	t.server.Shutdown()
	_ = t.client.Close() // the process ends
	_ = t.db.Close()     // likewise
}
