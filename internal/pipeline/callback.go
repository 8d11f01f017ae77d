package pipeline

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// callbackForm is the first byte of a webhook as it is kept: the length of what stands beside the body, that as JSON, the
// body. What begins with a brace is of an older version: all of it as JSON.
const callbackForm = 1

var errNoCallback = errors.New("it is no webhook of ours")

// aboutCallback is what is kept beside a webhook's body.
type aboutCallback struct {
	ReceivedAt time.Time
	Header     http.Header
}

// EncodeCallback writes a webhook as it is kept, but for the integration, which its place tells.
func EncodeCallback(c *Callback) ([]byte, error) {
	about, err := json.Marshal(aboutCallback{c.ReceivedAt, c.Header})
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 1+binary.MaxVarintLen64+len(about)+len(c.Body))
	b = append(b, callbackForm)
	b = binary.AppendUvarint(b, uint64(len(about)))
	b = append(b, about...)
	return append(b, c.Body...), nil
}

// DecodeCallback reads a webhook that was kept, into one that has its integration.
func DecodeCallback(b []byte, c *Callback) error {
	id := c.IntegrationID
	if len(b) > 0 && b[0] == '{' {
		return json.Unmarshal(b, c)
	}
	if len(b) == 0 || b[0] != callbackForm {
		return errNoCallback
	}
	n, used := binary.Uvarint(b[1:])
	if used <= 0 || n > uint64(len(b)-1-used) { //nolint:gosec // used is at most as long as b
		return errNoCallback
	}
	var about aboutCallback
	rest := b[1+used:]
	if err := json.Unmarshal(rest[:n], &about); err != nil {
		return err
	}
	*c = Callback{IntegrationID: id, ReceivedAt: about.ReceivedAt, Header: about.Header, Body: rest[n:]}
	return nil
}
