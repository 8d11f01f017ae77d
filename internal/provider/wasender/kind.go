package wasender

import (
	"cmp"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Names of the credentials.
const (
	apiKey        = "api_key"
	webhookSecret = "webhook_secret"
	accountToken  = "personal_access_token"
	sessionID     = "session_id"
)

// Kind is WasenderApi. The zero value is ready to use.
type Kind struct{}

var _ provider.Kind = Kind{}

// Name is "wasender".
func (Kind) Name() string { return "wasender" }

// Channel is WhatsApp.
func (Kind) Channel() string { return peal.ChannelWhatsApp }

// Credentials are the session's key and webhook secret; and what reads the account's message log, if that is wanted.
func (Kind) Credentials() []provider.Credential {
	return []provider.Credential{
		{Name: apiKey, Required: true, MinLen: 1, Help: "The session's API key, from its page at WasenderApi"},
		{Name: webhookSecret, Required: true, MinLen: 8, Help: "The session's webhook secret, from the same page"},
		{Name: accountToken, MinLen: 8, Help: "A personal access token of the account, to look for lost messages in its log; with session_id"},
		{Name: sessionID, Help: "The session's id, as in the address of its page; with personal_access_token"},
	}
}

// Defaults are WasenderApi's address, and 45 sends per second.
func (Kind) Defaults() provider.Defaults {
	return provider.Defaults{
		BaseURL:        "https://www.wasenderapi.com/api",
		Limit:          peal.Limit{Rate: 45, Period: time.Second, Burst: 5},
		OnUnknown:      peal.Reconcile,
		Checks:         []time.Duration{15 * time.Second, 2 * time.Minute, 15 * time.Minute},
		ReceiptTimeout: 15 * time.Minute,
		Finds:          []time.Duration{3 * time.Second, 30 * time.Second, 2 * time.Minute, 15 * time.Minute, time.Hour},
	}
}

// Open makes a client of one session. It fails with a *peal.Error of kind Invalid when the settings cannot work.
func (Kind) Open(in *peal.Integration, env provider.Env) (provider.Client, error) {
	if env.Transport == nil {
		return nil, peal.Errorf(peal.Internal, "wasender: no transport")
	}
	base, err := wire.BaseURL(in.BaseURL, "https://www.wasenderapi.com/api", "http", "https")
	if err != nil {
		return nil, err
	}
	key := in.Credentials[apiKey]
	if key == "" || strings.ContainsFunc(key, notToken) {
		return nil, wire.Invalid("credentials."+apiKey, "set the session's API key, without spaces or line breaks")
	}
	token, session := in.Credentials[accountToken], in.Credentials[sessionID]
	switch {
	case token != "" && strings.ContainsFunc(token, notToken):
		return nil, wire.Invalid("credentials."+accountToken, "give the token without spaces or line breaks")
	case session != "" && !pathSafe(session):
		return nil, wire.Invalid("credentials."+sessionID, "give the session's id: letters, digits, - and _")
	case (token == "") != (session == ""):
		return nil, wire.Invalid("credentials."+cmp.Or(missing(token, accountToken), sessionID), "give personal_access_token and session_id, or neither")
	}
	return newClient(in, base, env.Transport), nil
}

// missing is the name of what has no value.
func missing(value, name string) string {
	if value == "" {
		return name
	}
	return ""
}

// notToken tells the characters that cannot stand in a bearer token.
func notToken(r rune) bool { return r <= ' ' || r >= 0x7f }
