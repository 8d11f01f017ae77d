package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"

	"peal/api"
)

// Contact tells what is known of somebody, by phone number or WhatsApp user id.
func (c *Client) Contact(ctx context.Context, contact string) (*api.KnownContact, error) {
	path, err := item("/v1/contacts", contact)
	if err != nil {
		return nil, err
	}
	return get[api.KnownContact](ctx, c, path, nil)
}

// Consents tells what somebody wants to be told.
func (c *Client) Consents(ctx context.Context, contact string) (*api.ConsentList, error) {
	path, err := item("/v1/contacts", contact, "consents")
	if err != nil {
		return nil, err
	}
	return get[api.ConsentList](ctx, c, path, nil)
}

// PutConsents states what somebody wants to be told. What it does not name stays.
func (c *Client) PutConsents(ctx context.Context, contact string, words ...api.ConsentRequest) (*api.ConsentList, error) {
	path, err := item("/v1/contacts", contact, "consents")
	if err != nil {
		return nil, err
	}
	return send[api.ConsentList](ctx, c, call{method: http.MethodPut, path: path, body: api.ConsentsRequest{Consents: words}})
}

// OptOutPage gets one page of opt-outs: up to limit, 1 to 500; 0 means 50.
func (c *Client) OptOutPage(ctx context.Context, limit int, cursor string) (*api.OptOutPage, error) {
	v := url.Values{}
	putRange(v, time.Time{}, time.Time{}, limit, cursor)
	return get[api.OptOutPage](ctx, c, "/v1/opt-outs", v)
}

// OptOuts walks all opt-outs, fetching page after page as they are needed. An error ends the walk.
func (c *Client) OptOuts(ctx context.Context) iter.Seq2[api.Consent, error] {
	return walkPages("", func(cursor string) ([]api.Consent, string, error) {
		p, err := c.OptOutPage(ctx, 0, cursor)
		if err != nil {
			return nil, "", err
		}
		return p.OptOuts, p.NextCursor, nil
	})
}

// ImportOptOuts takes over opt-outs from another system, 1 to 1,000 at once.
func (c *Client) ImportOptOuts(ctx context.Context, all ...api.OptOut) (*api.OptOutImported, error) {
	return send[api.OptOutImported](ctx, c, call{method: http.MethodPost, path: "/v1/opt-outs", body: api.OptOutImport{OptOuts: all}})
}
