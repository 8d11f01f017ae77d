package callbacks

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

const appSecret = "an-app-secret-of-the-bench"

// meta stands in for Meta: it takes messages, and knows what it took.
type meta struct {
	addr string
	srv  *http.Server
	done chan struct{}

	mu    sync.Mutex
	taken []message
}

// message is one that was taken: Meta's id, and ours.
type message struct{ id, callback string }

func newMeta() (*meta, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &meta{addr: l.Addr().String(), done: make(chan struct{})}
	m.srv = &http.Server{Handler: m, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(m.done)
		_ = m.srv.Serve(l) // ends when it is closed
	}()
	return m, nil
}

func (m *meta) close() error {
	err := m.srv.Close()
	<-m.done
	return err
}

func (m *meta) ids() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken
}

func (m *meta) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var said struct {
		To       string `json:"to"`
		Callback string `json:"biz_opaque_callback_data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&said); err != nil || said.Callback == "" {
		http.Error(w, `{"error":{"message":"no message","code":100}}`, http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	id := fmt.Sprintf("wamid.HBgMOTE5ODEyMzQ1Njc4FQIAERgS%020d==", len(m.taken))
	m.taken = append(m.taken, message{id, said.Callback})
	m.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"messaging_product":"whatsapp","contacts":[{"input":%q,"wa_id":"919812345678"}],"messages":[{"id":%q}]}`, said.To, id)
}

// webhook is a body as Meta's, with the fields that a status has.
type webhook struct{ statuses bytes.Buffer }

func (w *webhook) add(m message, status string) {
	if w.statuses.Len() > 0 {
		w.statuses.WriteByte(',')
	}
	fmt.Fprintf(&w.statuses, `{"id":%q,"status":%q,"timestamp":"%d","recipient_id":"919812345678","biz_opaque_callback_data":%q,`+
		`"conversation":{"id":"6ceb9d929c9bdc4f90967a32f8639b4d","origin":{"type":"utility"}},"pricing":{"billable":true,"pricing_model":"PMP","category":"utility"}}`,
		m.id, status, time.Now().Unix(), m.callback)
}

func (w *webhook) bytes() []byte {
	return fmt.Appendf(nil, `{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"value":{"messaging_product":"whatsapp",`+
		`"metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"statuses":[%s]},"field":"messages"}]}]}`, w.statuses.Bytes())
}

// request is a signed POST of a body.
func request(path string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write(body)
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: peal\r\nUser-Agent: facebookexternalua\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Hub-Signature-256: sha256=%s\r\n\r\n%s",
		path, len(body), hex.EncodeToString(mac.Sum(nil)), body)
}

func sortBy[T any](all []T, by func(T) float64) {
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(by(a), by(b)) })
}

// sendAll has Peal send n messages, and waits until they are taken.
func (m *measurement) sendAll(ctx context.Context, n int) error {
	for sent := 0; sent < n; {
		k := min(1000, n-sent)
		items := make([]map[string]any, k)
		for i := range items {
			items[i] = map[string]any{
				"recipient": map[string]any{"phone": "+9198" + fmt.Sprintf("%08d", sent+i)}, "integration": "bench",
				"content": map[string]any{"text": "hello " + strconv.Itoa(sent+i)},
			}
		}
		status, answer, err := m.call(ctx, http.MethodPost, "/v1/notifications/batch", map[string]any{"notifications": items})
		if err != nil {
			return err
		}
		if status != http.StatusAccepted {
			return fmt.Errorf("batch: %d %.300s", status, answer)
		}
		sent += k
	}
	return m.wait(ctx, "messages are taken", func() (int, error) { return len(m.meta.ids()), nil }, n)
}

// settle waits until all deliveries are read; those that are not by the time that nothing moves any more are lost.
func (m *measurement) settle(ctx context.Context, n int) error {
	last := 0
	err := m.wait(ctx, "deliveries are read", func() (int, error) {
		var err error
		last, err = m.read(ctx)
		return last, err
	}, n)
	m.rep.Lost = n - last
	if ctx.Err() == nil && m.rep.Lost > 0 {
		m.say("%v", err)
		return nil
	}
	return err
}

// read counts the deliveries that are read.
func (m *measurement) read(ctx context.Context) (n int, err error) {
	status, answer, err := m.call(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return 0, err
	}
	if status != http.StatusOK {
		return 0, fmt.Errorf("metrics: %d", status)
	}
	for line := range bytes.Lines(answer) {
		if !bytes.HasPrefix(line, []byte("peal_callbacks_backlog ")) {
			continue
		}
		if left, err := strconv.ParseFloat(string(bytes.TrimSpace(line[len("peal_callbacks_backlog "):])), 64); err != nil || left > 0 {
			return 0, err // no use to look at the rows yet
		}
	}
	cursor := ""
	for {
		status, answer, err := m.call(ctx, http.MethodGet, "/v1/deliveries?limit=500&cursor="+cursor, nil)
		if err != nil {
			return n, err
		}
		if status != http.StatusOK {
			return n, fmt.Errorf("log: %d %.300s", status, answer)
		}
		var page struct {
			Deliveries []struct {
				Status      string
				DeliveredAt *time.Time `json:"delivered_at"`
			}
			Next string `json:"next_cursor"`
		}
		if err := json.Unmarshal(answer, &page); err != nil {
			return n, err
		}
		for _, d := range page.Deliveries {
			if d.Status == "read" && d.DeliveredAt != nil {
				n++
			}
		}
		if cursor = page.Next; cursor == "" {
			return n, nil
		}
	}
}

// wait looks again and again until there are so many, or for Stall nothing has changed.
func (m *measurement) wait(ctx context.Context, what string, count func() (int, error), want int) error {
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	last, since := -1, time.Now()
	for {
		n, err := count()
		if err != nil {
			return err
		}
		if n >= want {
			return nil
		}
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > m.Stall {
			return fmt.Errorf("of %d only %d %s", want, n, what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

func (m *measurement) call(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	var raw []byte
	if body != nil {
		if raw, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+m.peal.Addr+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	key := m.tenant.Key
	if path == "/metrics" {
		key = m.peal.OperatorKey()
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
