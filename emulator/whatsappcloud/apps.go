package whatsappcloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// getApps serves GET /{account}/subscribed_apps.
func (s *Server) getApps(req *request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := []any{}
	if req.acc.WebhookURL != "" {
		data = append(data, object{
			"whatsapp_business_api_data": object{"id": req.acc.AppID, "name": "Peal", "link": "https://www.facebook.com/games/?app_id=" + req.acc.AppID},
			"override_callback_uri":      req.acc.WebhookURL,
		})
	}
	return jsonReply(http.StatusOK, object{"data": data})
}

// subscribeApp serves POST /{account}/subscribed_apps: with
// override_callback_uri the handshake is made, and the account's webhooks go there.
func (s *Server) subscribeApp(req *request) reply {
	var in struct {
		URI   string `json:"override_callback_uri"`
		Token string `json:"verify_token"`
	}
	if len(req.body) > 0 {
		if err := req.decode(&in, true); err != nil {
			return s.refused(s.refuse(codeInvalid, err.Error()))
		}
	}
	if in.URI == "" {
		return done()
	}
	if in.Token == "" {
		return s.refused(s.problem(wrong(codeInvalid, "(#100) The parameter verify_token is required.")))
	}
	if err := s.handshake(req.Context(), in.URI, in.Token); err != nil {
		return s.refused(graph(http.StatusBadRequest, 2200, 0, "", "(#2200) Callback verification failed with the following errors: "+err.Error()))
	}
	err := s.UpdateAccount(req.acc.ID, func(a *Account) { a.WebhookURL, a.VerifyToken = in.URI, in.Token })
	if err != nil {
		return s.refused(s.refuse(codeInvalid, err.Error()))
	}
	return done()
}

// unsubscribeApp serves DELETE /{account}/subscribed_apps.
func (s *Server) unsubscribeApp(req *request) reply {
	// The URL was valid, and none is too.
	_ = s.UpdateAccount(req.acc.ID, func(a *Account) { a.WebhookURL = "" })
	return done()
}

// Verify makes the handshake of an account ("" is the first) with its webhook URL.
func (s *Server) Verify(ctx context.Context, accountID string) error {
	s.mu.Lock()
	a, err := s.accountOrFirst(accountID)
	var at, token string
	if err == nil {
		at, token = a.WebhookURL, a.VerifyToken
	}
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case at == "":
		return errors.New("webhook_url: the account has none")
	}
	return s.handshake(ctx, at, token)
}

// handshake asks the URL for the challenge, which must come back verbatim.
func (s *Server) handshake(ctx context.Context, at, token string) error {
	u, err := url.Parse(at)
	if err != nil || u.Host == "" {
		return errors.New("Invalid URL") //nolint:staticcheck // Meta's text
	}
	challenge := strconv.FormatUint(s.next()%1_000_000_000+1_000_000_000, 10)
	q := u.Query()
	q.Set("hub.mode", "subscribe")
	q.Set("hub.verify_token", token)
	q.Set("hub.challenge", challenge)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	resp, err := s.opt.Webhooks.Client.Do(req)
	if err != nil {
		return errors.New("the URL could not be reached")
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
	switch {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("HTTP Status Code = %d; HTTP Message = %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	case string(body) != challenge:
		return errors.New("the challenge did not come back as it was sent")
	}
	return nil
}
