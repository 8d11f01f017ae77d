package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"peal/api"
)

// ErrNotSigned says of a request that it does not come from Peal, or is an old one: answer it with 401.
var ErrNotSigned = errors.New("the webhook is not signed with one of the secrets, or too long ago")

const (
	maxEvent  = 1 << 20         // bytes
	tolerance = 5 * time.Minute // by which the clocks may differ
)

// Receiver takes the calls of an endpoint: outbound webhooks. It is safe for concurrent use; make it with [NewReceiver].
type Receiver struct {
	keys [][]byte
	now  func() time.Time
}

// NewReceiver makes a receiver for an endpoint's secrets: one, or while they are rotated the new and the old.
func NewReceiver(secrets ...string) (*Receiver, error) {
	r := &Receiver{now: time.Now}
	for _, s := range secrets {
		key, err := api.WebhookKey(s)
		if err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
		r.keys = append(r.keys, key)
	}
	if len(r.keys) == 0 {
		return nil, errors.New("client: give the endpoint's secret")
	}
	return r, nil
}

// Read verifies a request and gives the event that it tells. The same event may come more than once: keep its ID. Answer
// with a status of 2xx once it is safe with you, and do slow work afterwards.
func (r *Receiver) Read(req *http.Request) (*api.EventMessage, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, req.Body, maxEvent))
	if err != nil {
		return nil, fmt.Errorf("client: read the webhook: %w", err)
	}
	if err := r.Verify(req.Header, body); err != nil {
		return nil, err
	}
	e := &api.EventMessage{}
	if err := json.Unmarshal(body, e); err != nil {
		return nil, fmt.Errorf("client: read the webhook: %w", err)
	}
	return e, nil
}

// Verify tells whether a body, as it came, is signed with one of the secrets and not old; else it fails with [ErrNotSigned].
func (r *Receiver) Verify(header http.Header, body []byte) error {
	id := header.Get(api.WebhookIDHeader)
	seconds, err := strconv.ParseInt(header.Get(api.WebhookTimestampHeader), 10, 64)
	if err != nil || id == "" {
		return ErrNotSigned
	}
	at := time.Unix(seconds, 0)
	if r.now().Sub(at).Abs() > tolerance {
		return ErrNotSigned
	}
	for _, key := range r.keys {
		if api.SignedBy(key, header.Get(api.WebhookSignatureHeader), id, at, body) {
			return nil
		}
	}
	return ErrNotSigned
}
