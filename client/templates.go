package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"peal/api"
)

// TemplateQuery chooses templates of an integration's catalogue; empty fields match everything.
type TemplateQuery struct {
	Name   string
	Status string // such as approved or paused
	Limit  int
	Cursor string
}

// Templates lists a page of an integration's catalogue.
func (c *Client) Templates(ctx context.Context, integration string, q TemplateQuery) (*api.TemplateList, error) {
	path, err := item(integrations, integration, "templates")
	if err != nil {
		return nil, err
	}
	v := url.Values{}
	for name, value := range map[string]string{"name": q.Name, "status": q.Status, "cursor": q.Cursor} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return get[api.TemplateList](ctx, c, path, v)
}

// Template looks up a template of an integration's catalogue, in all its languages.
func (c *Client) Template(ctx context.Context, integration, name string) (*api.TemplateList, error) {
	if name == "" || name == "." || name == ".." {
		return nil, errNoID
	}
	path, err := item(integrations, integration, "templates", url.PathEscape(name))
	if err != nil {
		return nil, err
	}
	return get[api.TemplateList](ctx, c, path, nil)
}

// SyncTemplates has an integration's catalogue read from the provider now. It does not wait for that.
func (c *Client) SyncTemplates(ctx context.Context, integration string) (*api.Catalogue, error) {
	path, err := item(integrations, integration, "templates", "sync")
	if err != nil {
		return nil, err
	}
	return send[api.Catalogue](ctx, c, call{method: http.MethodPost, path: path})
}
