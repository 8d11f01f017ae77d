package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/stream/natstest"
)

// taker takes and acknowledges what a queue brings, and opens it again whenever it ends, as send does.
type taker struct {
	mu   sync.Mutex
	seen map[string]int // by delivery, or by body for webhooks
}

func (w *taker) run(ctx context.Context, t *testing.T, key func(pipeline.Message) string, open func(context.Context) (*pipeline.Feed, error)) {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for ctx.Err() == nil {
		f, err := open(ctx)
		if err != nil {
			select {
			case <-again.C:
			case <-ctx.Done():
			}
			continue
		}
		w.take(ctx, f, key)
		f.Stop()
	}
}

func (w *taker) take(ctx context.Context, f *pipeline.Feed, key func(pipeline.Message) string) {
	for {
		select {
		case m, ok := <-f.C:
			if !ok {
				return
			}
			_ = m.Ack() // a lost acknowledgement brings the message again
			w.mu.Lock()
			w.seen[key(m)]++
			w.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

func (w *taker) has(keys ...string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range keys {
		if w.seen[k] == 0 {
			return false
		}
	}
	return true
}

func (w *taker) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

func (w *taker) jobs(ctx context.Context, t *testing.T, s *Stream, integrationID string) {
	w.run(ctx, t, func(m pipeline.Message) string { return pipeline.DeliveryOf(m.Subject()) },
		func(ctx context.Context) (*pipeline.Feed, error) {
			return s.OpenQueue(ctx, integrationID, peal.Normal, 50, 5*time.Second)
		})
}

func (w *taker) callbacks(ctx context.Context, t *testing.T, s *Stream) {
	w.run(ctx, t, func(m pipeline.Message) string { return string(m.Data()) },
		func(ctx context.Context) (*pipeline.Feed, error) { return s.OpenCallbacks(ctx, 50) })
}

// publisher publishes jobs and webhooks without end, and notes those that the broker acknowledged.
type publisher struct {
	mu         sync.Mutex
	jobs, kept []string
}

func (p *publisher) run(ctx context.Context, s *Stream) {
	for ctx.Err() == nil {
		list, body := jobs("in", 20), peal.NewID()
		_, errJobs := s.Ensure(ctx, list)
		errKept := s.Keep(ctx, "in", []byte(body))
		p.mu.Lock()
		if errJobs == nil {
			p.jobs = append(p.jobs, namesOf(list)...)
		}
		if errKept == nil {
			p.kept = append(p.kept, body)
		}
		p.mu.Unlock()
	}
}

// more waits until some more has been acknowledged.
func (p *publisher) more(t *testing.T) {
	t.Helper()
	count := func() (int, int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.jobs), len(p.kept)
	}
	jobs, kept := count()
	eventually(t, "more publishes", func() bool {
		j, k := count()
		return j > jobs+400 && k > kept+20
	})
}

// TestWhatWasPublishedGetsThroughThoughServersDie kills the leader of the jobs, then that of a queue, while jobs are
// published and worked off.
func TestWhatWasPublishedGetsThroughThoughServersDie(t *testing.T) {
	t.Parallel()
	c := natstest.New(t)
	s := openAt(t, c.URLs())
	taking, stopTaking := context.WithCancel(t.Context())
	publishing, stopPublishing := context.WithCancel(t.Context())
	jobsTaken, hooksTaken, p := &taker{seen: map[string]int{}}, &taker{seen: map[string]int{}}, &publisher{}
	var takers, publishers sync.WaitGroup
	takers.Go(func() { jobsTaken.jobs(taking, t, s, "in") })
	takers.Go(func() { hooksTaken.callbacks(taking, t, s) })
	publishers.Go(func() { p.run(publishing, s) })
	defer takers.Wait()
	defer stopTaking()
	defer publishers.Wait()
	defer stopPublishing()

	p.more(t)
	eventually(t, "jobs and webhooks come", func() bool { return jobsTaken.count() > 0 && hooksTaken.count() > 0 })
	leader := c.Leader(t, pipeline.Deliveries)
	c.Kill(leader)
	p.more(t)
	c.Restart(t, leader)
	p.more(t)
	leader = c.ConsumerLeader(t, pipeline.Deliveries, queueName("in", peal.Normal))
	c.Kill(leader)
	p.more(t)
	stopPublishing()
	publishers.Wait()
	eventually(t, "everything that was acknowledged comes", func() bool { return jobsTaken.has(p.jobs...) && hooksTaken.has(p.kept...) })
	c.Restart(t, leader)
	standing(t, s, pipeline.Deliveries, 0)
}

// TestTheWholeClusterGoesAndComesBack: what it has acknowledged is there again, and the same Stream goes on.
func TestTheWholeClusterGoesAndComesBack(t *testing.T) {
	t.Parallel()
	c := natstest.New(t)
	var lost atomic.Int64
	s := opened(t, Config{External: External{URLs: c.URLs(), Replicas: 3}, Lost: func() { lost.Add(1) }})
	list := jobs("in", 30)
	ensure(t, s, len(list), list...)
	f := openQueue(t, s, "in")
	ack(t, take(t, f, 3)...)
	standing(t, s, pipeline.Deliveries, 27)

	c.Kill(0)
	c.Kill(1)
	eventually(t, "not ready with one server of three", func() bool { return s.Ready() != nil })
	c.Kill(2)
	eventually(t, "not ready", func() bool { return s.Ready() != nil && !s.conn.IsConnected() })
	before := lost.Load()
	s.Publish(list)
	if lost.Load() == before {
		t.Error("a publish without a broker is not told to be lost")
	}
	if err := s.Keep(t.Context(), "in", []byte("x")); err == nil {
		t.Error("a webhook was kept without a broker")
	}
	if _, err := s.EnsureEach(t.Context(), list); err == nil {
		t.Error("jobs were ensured without a broker")
	}
	c.Restart(t, 0, 1, 2)
	eventually(t, "ready", func() bool { return s.Ready() == nil })
	seen := &taker{seen: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	var taking sync.WaitGroup
	f.Stop()
	taking.Go(func() { seen.jobs(ctx, t, s, "in") })
	standing(t, s, pipeline.Deliveries, 0)
	cancel()
	taking.Wait()
}

func TestSchedulesFireAfterALeaderHasDied(t *testing.T) {
	t.Parallel()
	c := natstest.New(t)
	s := openAt(t, c.URLs())
	list := jobs("in", 10)
	due := map[string]time.Time{}
	for i := range list {
		list[i].Due = time.Now().Add(5*time.Second + time.Duration(i)*100*time.Millisecond)
		due[list[i].DeliveryID] = list[i].Due
	}
	ensure(t, s, len(list), list...)
	f := openQueue(t, s, "in")
	c.Kill(c.Leader(t, pipeline.Deliveries))
	c.Leader(t, pipeline.Deliveries)
	eventually(t, "the schedules stand, says the new leader", func() bool {
		added, err := s.Ensure(t.Context(), list)
		return err == nil && added == 0
	})
	for range list {
		m := take(t, f, 1)[0]
		id := pipeline.DeliveryOf(m.Subject())
		late := time.Since(due[id])
		if _, ours := due[id]; !ours || late < 0 {
			t.Errorf("a job came %s after it was due", late)
		}
		delete(due, id)
		ack(t, m)
	}
	standing(t, s, pipeline.Deliveries, 0)
}

func TestManyNodesMakeTheStreamsAtOnce(t *testing.T) {
	t.Parallel()
	urls := shared.Account(t)
	var nodes sync.WaitGroup
	for i := range 6 {
		nodes.Go(func() {
			s, err := Open(t.Context(), Config{Node: fmt.Sprint(i), External: External{URLs: urls, Replicas: 3}})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if _, err := s.Ensure(t.Context(), jobs("in", 1)); err != nil {
				t.Error(err)
			}
		})
	}
	nodes.Wait()
	s := openAt(t, urls)
	for _, want := range s.configs() {
		st, err := s.js.Stream(t.Context(), want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if info := st.CachedInfo(); !same(info.Config, want) || len(info.Cluster.Replicas) != 2 {
			t.Errorf("%s was made as %+v in %+v", want.Name, info.Config, info.Cluster)
		}
	}
	ensure(t, s, 1, jobs("in", 1)...)
}
