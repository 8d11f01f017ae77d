package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
)

const (
	// askFor is how long the broker keeps a request for messages. It answers when the time is over.
	askFor = 30 * time.Second
	// pulse is how often the broker shows that it still knows of a request.
	pulse = 3 * time.Second
	// silence is how long the broker is waited for before what was asked for counts as forgotten: a server that dies, or
	// a consumer's leader that is lost, takes the requests with it and tells nobody.
	silence = 2*pulse + time.Second
	// again is the pause after an answer that says "not now".
	again = time.Second
	// drainFor is how long a feed that stops waits for what is already on its way to it.
	drainFor = 5 * time.Second
)

// maxBuffer is how many messages wait for the stage, at most, beyond those in the client's hands.
const maxBuffer = 64

var (
	errGone    = errors.New("the consumer is gone") // or is another's
	errStopped = errors.New("the feed was stopped")
)

// puller asks a consumer for messages, a few at a time, and hands them out. It is written out here instead of taken from
// the client because a queue must not stand still: it ends when its consumer is gone, and it asks again when the broker
// falls silent.
type puller struct {
	s        *Stream
	stream   string
	consumer string
	group    string // in whose name is asked; empty: in nobody's
	batch    int    // how many messages may be on their way
	subject  string // where to ask
	inbox    string // the nth request is answered at inbox.n, and with messages
	in       chan *nats.Msg
	sub      *nats.Subscription
	closed   chan struct{} // when the subscription is
	quit     chan struct{}
	out      chan pipeline.Message

	asks  []ask // that are not yet answered in full, in the order in which the broker serves them
	asked uint64
	gone  bool // the consumer is; what it gave out is another's now
	vague bool // of webhooks: the consumer may have forgotten how far they are folded in
}

// ask is one request for messages.
type ask struct {
	nth   uint64
	left  int // of its messages, those that have not come
	until time.Time
}

// feed pulls from a consumer until it is stopped or the consumer is gone. At most batch messages are on their way, and
// buffer more wait to be taken.
func (s *Stream) feed(cons jetstream.Consumer, batch, buffer int) (*pipeline.Feed, error) {
	info := cons.CachedInfo()
	p := &puller{
		s: s, stream: info.Stream, consumer: info.Name, group: strings.Join(info.Config.PriorityGroups, ""), batch: batch,
		subject: "$JS.API.CONSUMER.MSG.NEXT." + info.Stream + "." + info.Name, inbox: s.conn.NewInbox(),
		// Room for what was believed forgotten, asked for again, and then comes as well; and for signs of life.
		in: make(chan *nats.Msg, 4*batch+64), closed: make(chan struct{}),
		quit: make(chan struct{}), out: make(chan pipeline.Message, buffer),
	}
	var err error
	if p.sub, err = s.conn.ChanSubscribe(p.inbox+".*", p.in); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	p.sub.SetClosedHandler(func(string) { close(p.closed) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(p.out)
		err := p.run()
		p.gone = errors.Is(err, errGone)
		p.end()
		if !errors.Is(err, errStopped) && !s.closed.Load() {
			s.log.Debug("feed ended", "consumer", p.consumer, "error", err)
		}
	}()
	var once sync.Once
	return &pipeline.Feed{C: p.out, Stop: func() {
		once.Do(func() {
			close(p.quit)
			<-done
			for m := range p.out {
				p.giveBack(m)
			}
		})
	}}, nil
}

// run pumps until the feed is stopped or can bring no more.
func (p *puller) run() error {
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		reconnected := p.s.reconnected()
		if p.vague {
			if err := p.forget(); err != nil {
				return err
			}
			if p.vague {
				continue
			}
		}
		if err := p.askForMore(); err != nil {
			if err := p.pause(); err != nil {
				return err
			}
			continue
		}
		quiet.Reset(silence)
		select {
		case <-p.quit:
			return errStopped
		case <-p.closed:
			return nats.ErrConnectionClosed
		case m := <-p.in:
			if err := p.take(m); err != nil {
				return err
			}
		case <-reconnected:
			if err := p.forget(); err != nil {
				return err
			}
		case <-quiet.C:
			if err := p.forget(); err != nil {
				return err
			}
		}
	}
}

// askForMore sees to it that there is always a request for messages at the broker, of at least half a batch.
func (p *puller) askForMore() error {
	now, left := time.Now(), 0
	p.asks = slices.DeleteFunc(p.asks, func(a ask) bool { return now.After(a.until) }) // whose answers were lost
	for _, a := range p.asks {
		left += a.left
	}
	if left > p.batch/2 {
		return nil
	}
	p.asked++
	raw, err := json.Marshal(struct {
		Batch     int           `json:"batch"`
		Expires   time.Duration `json:"expires"`
		Heartbeat time.Duration `json:"idle_heartbeat"`
		Group     string        `json:"group,omitempty"`
	}{p.batch - left, askFor, pulse, p.group})
	if err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	if err := p.s.conn.PublishRequest(p.subject, p.inbox+"."+strconv.FormatUint(p.asked, 10), raw); err != nil {
		return fmt.Errorf("ask for messages: %w", err)
	}
	p.asks = append(p.asks, ask{nth: p.asked, left: p.batch - left, until: now.Add(askFor + silence)})
	return nil
}

// take handles what came: a message, or word of a request.
func (p *puller) take(m *nats.Msg) error {
	if !strings.HasPrefix(m.Subject, p.inbox) {
		p.came()
		for _, msg := range split(message{m, p.s.conn}) {
			select {
			case p.out <- msg:
			case <-p.quit:
				p.giveBack(msg)
			}
		}
		return nil
	}
	switch m.Header.Get("Status") {
	case "100": // a sign of life
		return nil
	case "408": // its time is over
		p.over(m.Subject)
		return nil
	}
	what := m.Header.Get("Description")
	if strings.Contains(what, "Consumer Deleted") || strings.Contains(what, "Invalid Priority Group") {
		return errGone
	}
	// No responders, a new leader, a server that shuts down, and what newer servers may say: what was asked for will not
	// come. Nor should the broker be asked at once, for it would say the same.
	if !strings.Contains(what, "Leadership Change") {
		if err := p.pause(); err != nil {
			return err
		}
	}
	return p.forget()
}

// came counts a message. The broker serves its requests by turns.
func (p *puller) came() {
	if len(p.asks) == 0 {
		return
	}
	a := p.asks[0]
	p.asks = p.asks[1:]
	if a.left--; a.left > 0 {
		p.asks = append(p.asks, a)
	}
}

// over strikes a request out.
func (p *puller) over(subject string) {
	nth, err := strconv.ParseUint(subject[len(p.inbox)+1:], 10, 64)
	if err != nil {
		return
	}
	p.asks = slices.DeleteFunc(p.asks, func(a ask) bool { return a.nth == nth })
}

// forget strikes all requests out, when the broker seems to have done so. It fails if the consumer is no more.
func (p *puller) forget() error {
	p.asks = nil
	p.vague = p.stream == pipeline.Callbacks
	if !p.s.conn.IsConnected() {
		return p.pause()
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.s.timeout)
	defer cancel()
	switch _, err := p.s.consumer(ctx, p.stream, p.consumer); {
	case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		return errGone
	case err != nil: // the broker is choosing its leaders
		p.s.log.Debug("consumer not asked", "consumer", p.consumer, "error", err)
		return p.pause()
	}
	if !p.vague {
		return nil
	}
	switch behind, err := p.s.behind(ctx); {
	case err != nil:
		return p.pause()
	case behind:
		return errGone
	}
	p.vague = false
	return nil
}

// pause waits a moment; it fails when the feed can go no further.
func (p *puller) pause() error {
	t := time.NewTimer(again)
	defer t.Stop()
	select {
	case <-p.quit:
		return errStopped
	case <-p.closed:
		return nats.ErrConnectionClosed
	case <-t.C:
		return nil
	}
}

// end gives back what is on its way.
func (p *puller) end() {
	if p.s.server != nil || p.gone || len(p.asks) == 0 || !p.s.linger(p.outlast) {
		p.leave()
	}
}

// outlast gives back what still comes, until the broker owes no more. In a cluster the servers learn one after the other
// that somebody has left, and one that does not know yet would send messages to nobody: they would be out until their
// time is over.
func (p *puller) outlast(closing <-chan struct{}) {
	defer p.leave()
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for len(p.asks) > 0 {
		quiet.Reset(silence)
		select {
		case m := <-p.in:
			switch {
			case !strings.HasPrefix(m.Subject, p.inbox):
				p.came()
				p.giveBackRaw(m)
			case m.Header.Get("Status") == "408":
				p.over(m.Subject)
			case m.Header.Get("Status") != "100":
				return
			}
		case <-quiet.C:
			return
		case <-p.closed:
			return
		case <-closing:
			return
		}
	}
}

// leave unsubscribes: what the broker has sent comes before its answer that it will send no more.
func (p *puller) leave() {
	if !p.s.conn.IsConnected() || p.sub.Drain() != nil {
		if err := p.sub.Unsubscribe(); err != nil {
			p.s.log.Debug("feed not unsubscribed; its connection is gone", "error", err)
			p.late()
			return
		}
	}
	limit := time.NewTimer(drainFor)
	defer limit.Stop()
	for {
		select {
		case m := <-p.in:
			p.giveBackRaw(m)
		case <-p.closed:
			p.late()
			return
		case <-limit.C:
			p.late()
			return
		}
	}
}

// late gives back what lies in the channel of a subscription that has ended.
func (p *puller) late() {
	for {
		select {
		case m := <-p.in:
			p.giveBackRaw(m)
		default:
			return
		}
	}
}

func (p *puller) giveBackRaw(m *nats.Msg) {
	if !strings.HasPrefix(m.Subject, p.inbox) {
		p.giveBack(message{m, p.s.conn})
	}
}

func (p *puller) giveBack(m pipeline.Message) {
	if p.gone {
		return
	}
	if err := m.Nak(); err != nil && !p.s.closed.Load() {
		p.s.log.Debug("message not given back; it comes again by itself", "error", err)
	}
}

// message is one that the broker gave out.
type message struct {
	m    *nats.Msg
	conn *nats.Conn
}

var _ pipeline.Message = message{}

func (m message) Subject() string { return m.m.Subject }
func (m message) Data() []byte    { return m.m.Data }

// Folded tells of a webhook that it was folded in before it came here.
func (m message) Folded() bool { return m.m.Header.Get(foldedHeader) != "" }

func (m message) Ack() error { return m.conn.Publish(m.m.Reply, []byte("+ACK")) }
func (m message) Nak() error { return m.conn.Publish(m.m.Reply, []byte("-NAK")) }
