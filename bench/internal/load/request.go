// Package load sends messages over persistent connections, in a closed loop (the next request when the answer is in) or
// an open one (by the clock, whatever the answers do).
package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"peal/bench/internal/http1"
	"peal/bench/internal/tally"
)

// itemSize is the JSON of one notification in bytes.
const itemSize = 1024

// noNumber is where a recipient's number is put in: tally.PhoneDigits zeros, before anything else of that sort.
const noNumber = "00000000"

const filler = "Your order has left our warehouse in Pune and will be with you on Thursday between ten and twelve. " +
	"You can follow it on the page we sent you, change the day until tomorrow evening, or have it left with a neighbour. "

// Request is a request that is built once; only digits of fixed width change in it. Every connection has its own.
type Request struct {
	raw   []byte
	items []item
	want  int // the status of success
	batch bool
}

// item is where one message's digits are in raw.
type item struct {
	numbers []int // of the recipient's number: once, or in several places
	mark    int   // below zero: there is none
}

// Single is POST /v1/notifications with one message.
func Single(addr, key string, run int) *Request {
	return build(addr, "/v1/notifications", key, run, 1, 202, single)
}

// Batch is POST /v1/notifications/batch with so many messages.
func Batch(addr, key string, run, size int) *Request {
	r := build(addr, "/v1/notifications/batch", key, run, size, 202, single)
	r.batch = true
	return r
}

// BatchTo is Batch for an integration of another name.
func BatchTo(addr, key string, run, size int, integration string) *Request {
	r := build(addr, "/v1/notifications/batch", key, run, size, 202, func(text string) string {
		return strings.Replace(single(text), `"bench"`, `"`+integration+`"`, 1)
	})
	r.batch = true
	return r
}

// Direct is what Peal sends to the provider, for measuring generator and stand-in alone.
func Direct(addr, key string, run int) *Request {
	return build(addr, "/api/send-message", key, run, 1, 200, direct)
}

func single(text string) string {
	return `{"recipient":{"phone":"` + tally.PhonePrefix + noNumber + `"},"integration":"bench","content":{"text":"` + text + `"}}`
}

func direct(text string) string {
	return `{"to":"` + tally.PhonePrefix + noNumber + `","text":"` + text + `"}`
}

func build(addr, path, key string, run, size, want int, envelope func(text string) string) *Request {
	text := string(tally.AppendMarker(nil, run)) + " "
	text += strings.Repeat(filler, itemSize/len(filler)+1)[:itemSize-len(envelope(text))]
	one := envelope(text)
	body := one
	if strings.HasSuffix(path, "/batch") {
		body = `{"notifications":[` + strings.Repeat(one+",", size-1) + one + `]}`
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		path, addr, key, len(body))
	r := &Request{raw: []byte(head + body), want: want}
	number, mark := strings.Index(one, noNumber), strings.Index(one, text)
	for at := len(head) + strings.Index(body, one); len(r.items) < size; at += len(one) + 1 {
		r.items = append(r.items, item{numbers: []int{at + number}, mark: at + mark})
	}
	return r
}

func (r *Request) clone() *Request {
	c := *r
	c.raw = slices.Clone(r.raw)
	return &c
}

// Size is how many messages the request carries.
func (r *Request) Size() int { return len(r.items) }

// number gives the request's messages the sequence numbers from first on.
func (r *Request) number(t *tally.Tally, first int, sent int64) []byte {
	for i, it := range r.items {
		for _, at := range it.numbers {
			tally.PutDigits(r.raw[at:at+tally.PhoneDigits], int64(t.Phone(first+i)))
		}
		if it.mark < 0 {
			continue
		}
		mark := r.raw[it.mark : it.mark+tally.MarkerLen]
		tally.PutDigits(mark[tally.SeqAt:tally.SeqAt+tally.SeqDigits], int64(first+i))
		tally.PutDigits(mark[tally.SentAt:tally.SentAt+tally.SentDigits], sent)
	}
	return r.raw
}

// record notes in t which messages the answer accepts, and returns an error unless it accepts all.
func (r *Request) record(t *tally.Tally, first int, resp *http1.Response, at int64) error {
	if resp.Status != r.want {
		return fmt.Errorf("answer %d, want %d: %s", resp.Status, r.want, clip(resp.Body))
	}
	// Our own field order is the common case; a full decode costs more than Peal's share of such a request should.
	if !r.batch || bytes.Count(resp.Body, []byte(`"status":202`)) == len(r.items) {
		for i := range r.items {
			t.Accepted(first+i, at)
		}
		return nil
	}
	var answer struct {
		Results []struct {
			Status int             `json:"status"`
			Error  json.RawMessage `json:"error"`
		} `json:"results"`
	}
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		return fmt.Errorf("answer to a batch: %w: %s", err, clip(resp.Body))
	}
	if len(answer.Results) != len(r.items) {
		return fmt.Errorf("%d results for a batch of %d", len(answer.Results), len(r.items))
	}
	var refused error
	for i, res := range answer.Results {
		if res.Status == r.want {
			t.Accepted(first+i, at)
		} else if refused == nil {
			refused = fmt.Errorf("item %d of a batch: %d, want %d: %s", i, res.Status, r.want, clip(res.Error))
		}
	}
	return refused
}

func clip(b []byte) []byte { return b[:min(len(b), 500)] }
