package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

const (
	// A server takes jobs from Redis one after another, however many workers it has, and waits for Redis each time,
	// which is long where Redis syncs always. Several servers wait at the same time.
	servers = 8

	redisConnections = 128
	rowWriters       = 2   // for inserts, and as many for updates
	rowBatch         = 500 // rows in a statement at most
	enqueuers        = 64  // calls to Redis at once for the jobs of a batch; asynq has none that takes several jobs
)

// tuned gathers inserts and updates of all requests and workers in statements of many rows, keeps connections, and has
// as many calls to the provider at once as Peal.
type tuned struct {
	pool     *pgxpool.Pool
	redis    *redis.Client
	client   *asynq.Client
	servers  []*asynq.Server
	http     *http.Client
	provider string
	enqueue  *batcher[message]
	rows     *batcher[message]
	outcomes *batcher[outcome]
}

type outcome struct{ id, messageID string }

func newTuned(ctx context.Context, cfg config) (service, error) {
	pcfg, err := pgxpool.ParseConfig(cfg.database) // pgx prepares statements by itself and keeps them
	if err != nil {
		return nil, err
	}
	pcfg.MinConns, pcfg.MaxConns = 2*rowWriters, 2*rowWriters
	pool, err := pgxpool.NewWithConfig(ctx, pcfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		return nil, err
	}
	rdb := redis.NewClient(&redis.Options{Addr: cfg.redis, PoolSize: redisConnections, MinIdleConns: 32})
	t := &tuned{
		pool: pool, redis: rdb, client: asynq.NewClientFromRedisClient(rdb), provider: cfg.provider,
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConns: cfg.concurrency, MaxIdleConnsPerHost: cfg.concurrency}},
	}
	t.rows = newBatcher(rowWriters, rowBatch, t.insert)
	t.outcomes = newBatcher(rowWriters, rowBatch, t.update)
	t.enqueue = newBatcher(enqueuers, 1, t.put)
	mux := asynq.NewServeMux()
	mux.HandleFunc(typeSend, t.work)
	for range servers {
		s := asynq.NewServerFromRedisClient(rdb, asynq.Config{
			// A worker is busy until its outcome is in the database and its job out of Redis, so there are more workers
			// than calls to the provider.
			Concurrency: max(1, 4*cfg.concurrency/servers), LogLevel: asynq.WarnLevel, TaskCheckInterval: 50 * time.Millisecond,
		})
		if err := s.Start(mux); err != nil {
			return nil, err
		}
		t.servers = append(t.servers, s)
	}
	return t, nil
}

func (t *tuned) accept(ctx context.Context, msgs []message) error {
	if err := t.rows.do(msgs...); err != nil {
		return err
	}
	if len(msgs) == 1 {
		return t.put(ctx, msgs)
	}
	return t.enqueue.do(msgs...)
}

func (t *tuned) insert(ctx context.Context, msgs []message) error {
	ids, to, texts := make([]string, len(msgs)), make([]string, len(msgs)), make([]string, len(msgs))
	for i, m := range msgs {
		ids[i], to[i], texts[i] = m.ID, m.To, m.Text
	}
	_, err := t.pool.Exec(ctx, `INSERT INTO notification_log (id, recipient, body, status)
		SELECT id, recipient, body, 'queued' FROM unnest($1::uuid[], $2::text[], $3::text[]) AS u (id, recipient, body)`, ids, to, texts)
	return err
}

func (t *tuned) put(ctx context.Context, msgs []message) error {
	for _, m := range msgs {
		payload, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if _, err := t.client.EnqueueContext(ctx, asynq.NewTask(typeSend, payload), asynq.TaskID(m.ID)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tuned) work(ctx context.Context, task *asynq.Task) error {
	var m message
	if err := json.Unmarshal(task.Payload(), &m); err != nil {
		return errors.Join(err, asynq.SkipRetry)
	}
	id, err := send(ctx, t.http, t.provider, m)
	if err != nil {
		log.Print("send: ", err)
		return err
	}
	return t.outcomes.do(outcome{m.ID, id})
}

func (t *tuned) update(ctx context.Context, outs []outcome) error {
	ids, messageIDs := make([]string, len(outs)), make([]string, len(outs))
	for i, o := range outs {
		ids[i], messageIDs[i] = o.id, o.messageID
	}
	_, err := t.pool.Exec(ctx, `UPDATE notification_log l SET status = 'sent', message_id = u.message_id, attempts = attempts + 1,
		sent_at = now(), updated_at = now() FROM unnest($1::uuid[], $2::text[]) AS u (id, message_id) WHERE l.id = u.id`, ids, messageIDs)
	return err
}

func (t *tuned) close() {
	for _, s := range t.servers {
		s.Shutdown()
	}
	t.enqueue.close()
	t.rows.close()
	t.outcomes.close()
	_ = t.redis.Close() // the process ends
	t.pool.Close()
}
