package whatsappcloud

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Names of the credentials.
const (
	accessToken = "access_token"
	appSecret   = "app_secret"
	verifyToken = "verify_token"
)

// Kind is the WhatsApp Cloud API. The zero value is ready to use.
type Kind struct{}

var (
	_ provider.Kind       = Kind{}
	_ provider.Maker      = Kind{}
	_ provider.Handshaker = Kind{}
	_ provider.Warner     = Kind{}
)

// Name is "whatsapp_cloud".
func (Kind) Name() string { return "whatsapp_cloud" }

// Channel is WhatsApp.
func (Kind) Channel() string { return peal.ChannelWhatsApp }

// Credentials are the token to send with, and what proves the webhooks.
func (Kind) Credentials() []provider.Credential {
	return []provider.Credential{
		{Name: accessToken, Required: true, MinLen: 8, Help: "A system user's token with whatsapp_business_messaging; of a gateway, its API key"},
		{Name: appSecret, Required: true, MinLen: 8, Help: "The app's secret, from its basic settings; webhooks are signed with it"},
		{Name: verifyToken, MinLen: 8, Help: "What Meta names when the webhook's address is set; made if it is absent"},
	}
}

// MakeCredentials makes a verify token where none was given.
func (Kind) MakeCredentials(given map[string]string) error {
	if given[verifyToken] != "" {
		return nil
	}
	token := make([]byte, 24)
	if _, err := rand.Read(token); err != nil {
		return peal.Errorf(peal.Internal, "whatsappcloud: make verify token: %v", err)
	}
	given[verifyToken] = base64.RawURLEncoding.EncodeToString(token)
	return nil
}

// Defaults are Meta's address, and its limits of a number that was not upgraded: 80 messages a second, and one in 6 s to
// each recipient, of which 45 may be borrowed. What a message came to is in its receipts. Looked up are only those that have
// none after a while, and few an hour: the quota of the API that tells is small.
func (Kind) Defaults() provider.Defaults {
	return provider.Defaults{
		BaseURL:        "https://graph.facebook.com",
		Limit:          peal.Limit{Rate: 80, Period: time.Second, Burst: 8},
		RecipientLimit: peal.Limit{Rate: 1, Period: 6 * time.Second, Burst: 45},
		OnUnknown:      peal.Reconcile,
		UserIDs:        true,
		Window:         true,
		ReceiptTimeout: 10 * time.Minute,
		LookupLimit:    peal.Limit{Rate: 100, Period: time.Hour, Burst: 10},
	}
}

// Open makes a client of one number. It fails with a *peal.Error of kind Invalid when the settings cannot work.
func (Kind) Open(in *peal.Integration, env provider.Env) (provider.Client, error) {
	base, err := parseBase(in.BaseURL)
	if err != nil {
		return nil, err
	}
	set, err := parseSettings(in.Settings)
	if err != nil {
		return nil, err
	}
	if token := in.Credentials[accessToken]; token == "" || strings.ContainsFunc(token, notToken) {
		return nil, invalid("credentials."+accessToken, "set the access token, without spaces or line breaks")
	}
	shared, own, err := wire.Transport(in, env)
	if err != nil {
		return nil, err
	}
	return newClient(in, base, set, shared, own), nil
}

// parseBase checks the address of the API and cuts the slash at its end.
func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, invalid("settings.base_url", "give an http or https URL, such as https://graph.facebook.com")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, invalid("settings.base_url", "give the URL without user, query and fragment")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

// parseSettings reads and checks what only this kind has, with defaults.
func parseSettings(raw json.RawMessage) (api.WhatsAppCloud, error) {
	var all api.Settings
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &all); err != nil {
			return api.WhatsAppCloud{}, peal.Errorf(peal.Internal, "whatsappcloud: the settings cannot be read")
		}
	}
	s := api.WhatsAppCloud{}
	if all.WhatsAppCloud != nil {
		s = *all.WhatsAppCloud
	}
	if s.GraphVersion == "" {
		s.GraphVersion = defaultVersion
	}
	const path = "settings.whatsapp_cloud."
	switch {
	case s.PhoneNumberID == "" && s.MessagesPath == "":
		return s, invalid(path+"phone_number_id", "give the id of the sending number, from the app's page at Meta; it is not the number itself")
	case !digits(s.PhoneNumberID):
		return s, invalid(path+"phone_number_id", "give the id in digits, such as 106540352242922")
	case !digits(s.WABAID):
		return s, invalid(path+"waba_id", "give the id in digits, such as 102290129340398")
	case !isVersion(s.GraphVersion):
		return s, invalid(path+"graph_version", "give a version such as "+defaultVersion)
	case s.MessagesPath != "" && (s.MessagesPath[0] != '/' || strings.ContainsFunc(s.MessagesPath, notPath)):
		return s, invalid(path+"messages_path", "give a path such as /messages, without query")
	case strings.ContainsFunc(s.AuthHeader, notHeader):
		return s, invalid(path+"auth_header", "give the name of a header, such as D360-API-KEY")
	}
	return s, nil
}

func digits(s string) bool {
	return strings.Trim(s, "0123456789") == "" && len(s) <= 32
}

// notToken tells the characters that cannot stand in a bearer token.
func notToken(r rune) bool { return r <= ' ' || r >= 0x7f }

// notPath tells the characters that a path is not taken with: what would have to be escaped, or ends it.
func notPath(r rune) bool { return notToken(r) || strings.ContainsRune(`?#%\"<>^{|}`+"`", r) }

// notHeader tells the characters that a header's name is not taken with.
func notHeader(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// invalid is the error of one wrong setting.
func invalid(path, mend string) *peal.Error {
	return &peal.Error{
		Kind: peal.Invalid, Message: "the integration's settings cannot work",
		Fields: []peal.Field{{Path: path, Code: "invalid", Message: mend}},
	}
}
