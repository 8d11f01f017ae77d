package slope

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"peal/bench/internal/fill"
	"peal/bench/internal/stats"
)

// Lookup is one way to ask the log, and how long it took from the request to the whole answer.
type Lookup struct {
	By   string          `json:"by"`
	Took stats.Quantiles `json:"took"`
}

// lookups ask the log over HTTP as the UI and support do, a page at a time.
type lookups struct {
	addr, key string
	plan      *fill.Plan
	times     int
}

func (l *lookups) all(ctx context.Context) ([]Lookup, error) {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	var done []Lookup
	for _, kind := range []struct {
		by    string
		query func(row int) url.Values
	}{
		{"newest page", func(int) url.Values { return url.Values{} }},
		{"recipient", func(row int) url.Values { return url.Values{"recipient": {l.plan.Phone(row)}} }},
		{"message id", func(row int) url.Values { return url.Values{"message_id": {l.plan.MessageID(row)}} }},
		{"time, an hour", func(row int) url.Values {
			at := l.plan.At(row)
			return url.Values{"since": {stamp(at.Add(-time.Hour))}, "until": {stamp(at.Add(time.Second))}}
		}},
		{"status failed, before a time", func(row int) url.Values {
			return url.Values{"status": {"failed"}, "until": {stamp(l.plan.At(row))}}
		}},
	} {
		took, rows := make([]int64, 0, l.times), 0
		random := rand.New(rand.NewPCG(3, 4))
		for range l.times {
			start := time.Now()
			n, err := l.ask(ctx, kind.query(random.IntN(l.plan.Rows)))
			if err != nil {
				return nil, fmt.Errorf("by %s: %w", kind.by, err)
			}
			took = append(took, int64(time.Since(start)))
			rows += n
		}
		if rows == 0 {
			return nil, fmt.Errorf("by %s: not one of %d pages had a row", kind.by, l.times)
		}
		done = append(done, Lookup{kind.by, stats.Of(took)})
	}
	return done, nil
}

// ask returns how many rows the page has.
func (l *lookups) ask(ctx context.Context, q url.Values) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.addr+"/v1/deliveries?"+q.Encode(), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+l.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	var page struct {
		Deliveries []struct{} `json:"deliveries"`
	}
	if err := json.Unmarshal(raw, &page); err != nil || resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", resp.Status, raw[:min(len(raw), 500)])
	}
	return len(page.Deliveries), nil
}
