package client

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"peal/api"
)

// DeliveryQuery chooses deliveries of the log: every field that is set must match.
type DeliveryQuery struct {
	Recipient      string
	MessageID      string
	NotificationID string
	Integration    string
	Status         string
	Channel        string
	Since          time.Time // created then or later
	Until          time.Time // created before then
	Limit          int       // rows of a page, 1 to 500; 0 means 50
	Cursor         string    // where an earlier page ended
}

func (q DeliveryQuery) values() url.Values {
	v := url.Values{}
	put(v, "recipient", q.Recipient)
	put(v, "message_id", q.MessageID)
	put(v, "notification_id", q.NotificationID)
	put(v, "integration", q.Integration)
	put(v, "status", q.Status)
	put(v, "channel", q.Channel)
	putRange(v, q.Since, q.Until, q.Limit, q.Cursor)
	return v
}

func put(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}

func putRange(v url.Values, since, until time.Time, limit int, cursor string) {
	if !since.IsZero() {
		v.Set("since", since.UTC().Format(time.RFC3339Nano))
	}
	if !until.IsZero() {
		v.Set("until", until.UTC().Format(time.RFC3339Nano))
	}
	if limit != 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	put(v, "cursor", cursor)
}

// DeliveryPage gets one page of the log, newest first.
func (c *Client) DeliveryPage(ctx context.Context, q DeliveryQuery) (*api.DeliveryPage, error) {
	return get[api.DeliveryPage](ctx, c, "/v1/deliveries", q.values())
}

// Deliveries walks the log from q.Cursor to its end, newest first, fetching page after page as they are needed.
// An error ends the walk.
func (c *Client) Deliveries(ctx context.Context, q DeliveryQuery) iter.Seq2[api.Delivery, error] {
	return walk(q.Cursor, func(cursor string) (*api.DeliveryPage, error) {
		q := q
		q.Cursor = cursor
		return c.DeliveryPage(ctx, q)
	})
}

// errSameCursor keeps a broken server from holding a walk for ever.
var errSameCursor = errors.New("client: the server gave the same cursor twice")

func walk(cursor string, page func(cursor string) (*api.DeliveryPage, error)) iter.Seq2[api.Delivery, error] {
	return func(yield func(api.Delivery, error) bool) {
		for cursor := cursor; ; {
			p, err := page(cursor)
			if err == nil && p.NextCursor != "" && p.NextCursor == cursor {
				err = errSameCursor
			}
			if err != nil {
				yield(api.Delivery{}, err)
				return
			}
			for _, d := range p.Deliveries {
				if !yield(d, nil) {
					return
				}
			}
			if p.NextCursor == "" {
				return
			}
			cursor = p.NextCursor
		}
	}
}

// Delivery looks up one delivery with its timeline.
func (c *Client) Delivery(ctx context.Context, id string) (*api.Delivery, error) {
	path, err := item("/v1/deliveries", id)
	if err != nil {
		return nil, err
	}
	return get[api.Delivery](ctx, c, path, nil)
}

// ExplainDelivery tells why a delivery is as it is, and what happens next.
func (c *Client) ExplainDelivery(ctx context.Context, id string) (*api.Explanation, error) {
	path, err := item("/v1/deliveries", id, "explain")
	if err != nil {
		return nil, err
	}
	return get[api.Explanation](ctx, c, path, nil)
}

// ResolveDelivery settles a delivery whose outcome is uncertain.
func (c *Client) ResolveDelivery(ctx context.Context, id string, req api.ResolveRequest) (*api.Delivery, error) {
	path, err := item("/v1/deliveries", id, "resolve")
	if err != nil {
		return nil, err
	}
	return send[api.Delivery](ctx, c, call{method: http.MethodPost, path: path, body: req})
}

// ResolveDeliveries settles many deliveries whose outcome is uncertain. Call it until Remaining is 0.
func (c *Client) ResolveDeliveries(ctx context.Context, req api.ResolveAllRequest) (*api.ResolveResult, error) {
	return send[api.ResolveResult](ctx, c, call{method: http.MethodPost, path: "/v1/deliveries/resolve", body: req})
}
