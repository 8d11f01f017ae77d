package wasender

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"peal/internal/peal"
	"peal/internal/provider"
)

var _ provider.Pairer = (*client)(nil)

// stateNeedScan is the state of a session whose QR code waits to be scanned.
const stateNeedScan = "need_scan"

// pairAnswer is the body of connect and qrcode. The state is in upper case there.
type pairAnswer struct {
	Success json.RawMessage `json:"success"`
	Data    struct {
		Status json.RawMessage `json:"status"`
		QR     json.RawMessage `json:"qrCode"`
	} `json:"data"`
	Retry json.RawMessage `json:"retry_after"`
}

// Session asks for the session's state, with the session's own key.
func (c *client) Session(ctx context.Context) (provider.Health, error) {
	state, err := c.state(ctx)
	if err != nil {
		return provider.Health{}, err
	}
	return health(state), nil
}

// Connect asks the provider to connect the session. It needs the account's token.
func (c *client) Connect(ctx context.Context) (provider.Pairing, error) {
	return c.pair(ctx, http.MethodPost, "/connect")
}

// QR asks for the code that is to be scanned now. It needs the account's token.
func (c *client) QR(ctx context.Context) (provider.Pairing, error) {
	return c.pair(ctx, http.MethodGet, "/qrcode")
}

func (c *client) pair(ctx context.Context, method, path string) (provider.Pairing, error) {
	if c.account == nil {
		return provider.Pairing{}, &provider.Error{
			Class: peal.ClassPermanent, Code: codeNoToken, Err: errors.New("the integration has no personal_access_token and session_id"),
		}
	}
	req := c.request(method, "/whatsapp-sessions/"+c.session+path)
	req.Header = c.account
	var a pairAnswer
	if err := c.ask(ctx, req, maxAnswer, &a, &a.Retry); err != nil {
		return provider.Pairing{}, err
	}
	if isFalse(a.Success) {
		return provider.Pairing{}, &provider.Error{
			Class: peal.ClassTemporary, Code: codeRejected, Err: errors.New("the provider refused it without a documented reason"),
		}
	}
	state, qr := sessionState(a.Data.Status), asString(a.Data.QR)
	switch {
	case len(qr) > maxQR:
		return provider.Pairing{}, badAnswer()
	case state == "" && qr != "":
		state = stateNeedScan
	case state == "":
		return provider.Pairing{}, badAnswer()
	}
	return provider.Pairing{Health: health(state), QR: qr}, nil
}

// maxQR is how much a QR code can say.
const maxQR = 2000
