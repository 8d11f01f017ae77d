package whatsappcloud

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// task is something the player does at a time. It is never run twice at once.
type task struct {
	due time.Time
	seq uint64 // first come, first served among equal times
	// run does it and says when to go on; the zero time ends the task.
	run func(ctx context.Context) time.Time
	// dropped, if set, is called instead of run when the task is cleared away.
	dropped func()
	gen     int
}

// player runs tasks at their times with a bounded number of workers: one
// goroutine hands due tasks to the workers, and waits while all are busy.
type player struct {
	opt   WebhookOptions
	log   *slog.Logger
	ready chan *task
	wake  chan struct{}
	wg    sync.WaitGroup
	ctx   context.Context // of the player's own goroutines, ended by Server.Close

	mu     sync.Mutex
	queue  taskQueue
	seq    uint64
	gen    int // tasks of before a clear do not come back
	open   int // tasks queued or running
	idleCh chan struct{}
	totals WebhookCounts
}

func newPlayer(ctx context.Context, opt WebhookOptions, log *slog.Logger) *player {
	p := &player{
		opt:    opt,
		log:    log,
		ready:  make(chan *task),
		wake:   make(chan struct{}, 1),
		ctx:    ctx,
		idleCh: make(chan struct{}),
	}
	close(p.idleCh)
	p.wg.Go(p.dispatch)
	for range opt.Workers {
		p.wg.Go(p.work)
	}
	return p
}

// add queues a task; false when too many wait or the player is closed.
func (p *player) add(t *task) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return false
	}
	if p.open >= p.opt.MaxPending {
		p.totals.Overflowed++
		return false
	}
	if p.open == 0 {
		p.idleCh = make(chan struct{})
	}
	p.open++
	t.gen = p.gen
	p.push(t)
	return true
}

func (p *player) push(t *task) {
	p.seq++
	t.seq = p.seq
	heap.Push(&p.queue, t)
	if p.queue[0] == t {
		select {
		case p.wake <- struct{}{}:
		default: // it is awake already
		}
	}
}

func (p *player) closeTasks(n int) {
	if n == 0 {
		return
	}
	if p.open -= n; p.open == 0 {
		close(p.idleCh)
	}
}

// dispatch hands each task to a worker when it is due.
func (p *player) dispatch() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		t, wait := p.pop(time.Now())
		if t != nil {
			select {
			case p.ready <- t:
				continue
			case <-p.ctx.Done():
				return
			}
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		case <-p.ctx.Done():
			return
		}
	}
}

// pop takes the first task if it is due, or tells how long until one is.
func (p *player) pop(now time.Time) (*task, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil, time.Hour
	}
	if wait := p.queue[0].due.Sub(now); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&p.queue).(*task), 0
}

func (p *player) work() {
	for {
		select {
		case t := <-p.ready:
			p.finish(t, t.run(p.ctx))
		case <-p.ctx.Done():
			return
		}
	}
}

func (p *player) finish(t *task, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next.IsZero() || t.gen != p.gen {
		p.closeTasks(1)
		return
	}
	t.due = next
	p.push(t)
}

// clear forgets all queued tasks. Those being run end after what they are at.
func (p *player) clear() {
	p.mu.Lock()
	queue := p.queue
	p.queue, p.totals = nil, WebhookCounts{}
	p.gen++
	p.closeTasks(len(queue))
	p.mu.Unlock()
	for _, t := range queue {
		if t.dropped != nil {
			t.dropped()
		}
	}
}

func (p *player) idle(ctx context.Context) error {
	p.mu.Lock()
	ch := p.idleCh
	p.mu.Unlock()
	select {
	case <-ch:
		return nil
	case <-p.ctx.Done():
		return errors.New("whatsappcloud: closed while waiting for idle")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns when the player's goroutines have ended, after its ctx has.
func (p *player) wait() {
	p.wg.Wait()
	if p.opt.own {
		p.opt.Client.CloseIdleConnections()
	}
}

func (p *player) counts() WebhookCounts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.totals
}

func (p *player) tally(f func(*WebhookCounts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.totals)
}

// taskQueue is a heap by due time.
type taskQueue []*task

func (q taskQueue) Len() int { return len(q) }
func (q taskQueue) Less(i, j int) bool {
	if !q[i].due.Equal(q[j].due) {
		return q[i].due.Before(q[j].due)
	}
	return q[i].seq < q[j].seq
}
func (q taskQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *taskQueue) Push(x any) { *q = append(*q, x.(*task)) }

// Pop implements heap.Interface.
func (q *taskQueue) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return t
}
