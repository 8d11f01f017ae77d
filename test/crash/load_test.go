package crash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"peal/api"
	"peal/client"
)

const (
	workers   = 8
	eachEvery = 25 * time.Millisecond // so 320 requests a second at most, some of them batches
	batch     = 5
)

// load sends without end, and keeps account of what it was promised.
type load struct {
	t    *testing.T
	peal *client.Client
	next atomic.Int64
	stop chan struct{}
	done sync.WaitGroup

	mu       sync.Mutex
	accepted map[string]string // notification id: text
	answers  map[string]string // text: notification id
	maybe    map[string]bool   // texts whose answer was lost and which nobody repeats
	repeated int               // requests that had to be repeated with their key
	replayed int               // of which the first had been accepted
}

func newLoad(t *testing.T, p *process, tenant string) *load {
	t.Helper()
	// A connection each, and none that is used again after the process was killed without anybody noticing.
	h := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * workers}}
	t.Cleanup(h.CloseIdleConnections)
	c, err := client.New("http://"+p.addr, p.operator, client.WithTenant(tenant), client.WithHTTPClient(h), client.WithTimeout(5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return &load{t: t, peal: c, stop: make(chan struct{}), accepted: map[string]string{}, answers: map[string]string{}, maybe: map[string]bool{}}
}

func (l *load) start() {
	for w := range workers {
		l.done.Go(func() { l.work(w) })
	}
}

// finish stops sending, once every request with a key has its answer.
func (l *load) finish() {
	close(l.stop)
	l.done.Wait()
}

// job is a request, or a batch of them, on its way.
type job struct{ reqs []api.NotificationRequest }

func (l *load) work(w int) {
	tick := time.NewTicker(eachEvery)
	defer tick.Stop()
	var pending []job // with keys, to be repeated until they are answered
	for n := w; ; n++ {
		select {
		case <-tick.C:
		case <-l.stop:
			if len(pending) == 0 {
				return
			}
			<-tick.C
		}
		var j job
		if len(pending) > 0 {
			j, pending = pending[0], pending[1:]
		} else {
			j = l.compose(n)
		}
		if !l.send(&j) {
			pending = append(pending, j)
		}
	}
}

// compose makes new requests, each with a text that no other has: in turn one with a key, one without, and a batch.
func (l *load) compose(n int) (j job) {
	count, keyed := 1, n%2 == 0
	if n%10 == 0 {
		count = batch
	}
	for range count {
		text := fmt.Sprintf("crash-%07d", l.next.Add(1))
		req := api.NotificationRequest{
			Recipient: api.Recipient{Phone: fmt.Sprintf("+9198%08d", n%1000)}, Content: api.Content{Text: &text},
		}
		if keyed {
			req.IdempotencyKey = "key-" + text
		}
		j.reqs = append(j.reqs, req)
	}
	return j
}

// send sends a job; false when it is to be repeated.
func (l *load) send(j *job) (settled bool) {
	if len(j.reqs) > 1 {
		return l.sendBatch(j)
	}
	req := j.reqs[0]
	sent, err := l.peal.Send(context.Background(), req)
	if err == nil {
		l.note(*req.Content.Text, sent.ID, sent.Replayed)
		return true
	}
	l.lost(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if req.IdempotencyKey == "" {
		l.maybe[*req.Content.Text] = true
		return true
	}
	l.repeated++
	return false
}

func (l *load) sendBatch(j *job) (settled bool) {
	res, err := l.peal.SendBatch(context.Background(), j.reqs)
	if err != nil {
		l.lost(err)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.repeated++
		return false
	}
	for i, r := range res.Results {
		if r.Error != nil || r.Notification == nil {
			l.t.Errorf("an item was answered %d, %v", r.Status, r.Error)
			continue
		}
		l.note(*j.reqs[i].Content.Text, r.Notification.ID, r.Replayed)
	}
	return true
}

// lost looks at why there is no answer: only a connection may be at fault, or a server that says so.
func (l *load) lost(err error) {
	var p *api.Problem
	if errors.As(err, &p) && p.Status != http.StatusServiceUnavailable {
		l.t.Errorf("a request was answered: %v", err)
	}
}

// note keeps what was promised. A text that is answered with two ids is two notifications.
func (l *load) note(text, id string, replayed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.answers[text]; ok && old != id {
		l.t.Errorf("%s was answered with two notifications, %s and %s", text, old, id)
	}
	l.answers[text], l.accepted[id] = id, text
	if replayed {
		l.replayed++
	}
}
