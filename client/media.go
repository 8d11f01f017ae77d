package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"peal/api"
)

// Upload is a file to upload.
type Upload struct {
	Type  string // such as image/png
	Name  string // what it is called; not needed
	Data  io.Reader
	Fresh bool // upload it even if the provider should have it
}

// UploadMedia uploads a file to an integration's provider, for contents that name it by its id. The same file is uploaded
// once. It takes as long as it takes: only ctx bounds it.
func (c *Client) UploadMedia(ctx context.Context, idOrName string, u Upload) (*api.UploadedMedia, error) {
	path, err := item(integrations, idOrName, "media")
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if u.Fresh {
		query.Set("fresh", "true")
	}
	if u.Name != "" {
		query.Set("filename", u.Name)
	}
	op := http.MethodPost + " " + path
	req, err := c.request(ctx, call{method: http.MethodPost, path: path, query: query}, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	req.Body = io.NopCloser(u.Data)
	req.Header.Set("Content-Type", u.Type)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &unansweredError{err: err}
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &unansweredError{err: fmt.Errorf("%s: read the answer: %w", op, err)}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &answerError{op: op, problem: problem(resp, answer), retryAfter: retryAfter(resp.Header)}
	}
	out := new(api.UploadedMedia)
	if err := json.Unmarshal(answer, out); err != nil {
		return nil, fmt.Errorf("%s: the answer is not what Peal answers; is the URL right? %w", op, err)
	}
	return out, nil
}

// MarkRead marks a message that came in as read, by the provider's id; with typing whoever wrote it sees for a while that an
// answer is being written.
func (c *Client) MarkRead(ctx context.Context, idOrName string, req api.ReadRequest) error {
	path, err := item(integrations, idOrName, "read")
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{method: http.MethodPost, path: path, body: req}, nil)
	return err
}

// ReadInbound marks a message that somebody wrote as read, by Peal's id; with typing they see for a while that an answer is
// being written.
func (c *Client) ReadInbound(ctx context.Context, id string, typing bool) error {
	path, err := item("/v1/inbound", id, "read")
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{method: http.MethodPost, path: path, body: api.InboundReadRequest{Typing: typing}}, nil)
	return err
}
