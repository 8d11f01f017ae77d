package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Backup writes a backup of everything to w; it needs the operator key. It takes as long as it takes: only ctx bounds
// it. What was written is worth something only when there is no error.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	const op = "GET /v1/backup"
	req, err := c.request(ctx, call{method: http.MethodGet, path: "/v1/backup"}, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &unansweredError{err: err}
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return &unansweredError{err: fmt.Errorf("%s: read the answer: %w", op, err)}
		}
		return &answerError{op: op, problem: problem(resp, answer), retryAfter: retryAfter(resp.Header)}
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("%s: the backup was cut off: %w", op, err)
	}
	return nil
}
