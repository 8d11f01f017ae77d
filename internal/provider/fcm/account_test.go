package fcm_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/fcm"
)

func pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestServiceAccounts that cannot work are refused with what is wrong, and quoted with nothing.
func TestServiceAccounts(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := func(key, value string) func(map[string]any) { return func(m map[string]any) { m[key] = value } }
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   string // in the error; empty: it is taken
	}{
		"as it is":         {func(map[string]any) {}, ""},
		"more in it":       {set("universe_domain", "googleapis.com"), ""},
		"no type":          {func(m map[string]any) { delete(m, "type") }, ""},
		"no key id":        {func(m map[string]any) { delete(m, "private_key_id") }, ""},
		"domain's project": {set("project_id", "example.com:app"), ""},
		"of a user":        {set("type", "authorized_user"), "type is service_account"},
		"of the app":       {set("project_info", "x"), "google-services.json"},
		"no project":       {set("project_id", ""), "project_id"},
		"odd project":      {set("project_id", "a/../b"), "project_id"},
		"no email":         {set("client_email", ""), "client_email"},
		"no key":           {set("private_key", ""), "private_key is missing"},
		"key of one line":  {set("private_key", "-----BEGIN PRIVATE KEY----- abc"), "PEM"},
		"damaged key":      {set("private_key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "damaged"},
		"short key":        {set("private_key", pemOf(t, short)), "2048 bits"},
		"key of a curve":   {set("private_key", pemOf(t, curve)), "RSA"},
		"no token_uri":     {set("token_uri", ""), "token_uri"},
		"plain token_uri":  {set("token_uri", "http://oauth2.googleapis.com/token"), "not https"},
		"file token_uri":   {set("token_uri", "file:///etc/passwd"), "token_uri"},
		"token_uri's user": {set("token_uri", "https://a:b@example.com/"), "token_uri"},
		"number":           {func(m map[string]any) { m["project_id"] = 7 }, "no JSON of that shape"},
	} {
		var file map[string]any
		if err := json.Unmarshal([]byte(accountFile("https://oauth2.googleapis.com")), &file); err != nil {
			t.Fatal(err)
		}
		c.change(file)
		text, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		err = open(string(text), "https://fcm.googleapis.com")
		var e *peal.Error
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want == "":
		case !errors.As(err, &e) || e.Kind != peal.Invalid || len(e.Fields) != 1 || e.Fields[0].Path != "credentials.service_account" || !strings.Contains(e.Fields[0].Message, c.want):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "MII") {
			t.Errorf("%s: it quotes the key: %v", name, err)
		}
	}
	for _, text := range []string{"", "no JSON", "null", "[]", strings.Repeat("x", 1<<17)} {
		if err := open(text, "https://fcm.googleapis.com"); err == nil {
			t.Errorf("%.20q is taken", text)
		}
	}
	plain := accountFile("http://127.0.0.1:1")
	if err := open(plain, "https://fcm.googleapis.com"); err == nil {
		t.Error("a plain token_uri is taken beside a base_url of https")
	}
	if err := open("\ufeff"+plain, "http://127.0.0.1:1"); err != nil {
		t.Errorf("a test system: %v", err)
	}
}

func open(account, baseURL string) error {
	in := &peal.Integration{BaseURL: baseURL, Credentials: map[string]string{"service_account": account}}
	c, err := fcm.Kind{}.Open(in, provider.Env{Transport: http.DefaultTransport, Dial: (&net.Dialer{}).DialContext})
	if err == nil {
		c.Close()
	}
	return err
}

func TestCheckDevice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		device peal.Device
		path   string
	}{
		"token":    {peal.Device{Kind: peal.DeviceFCMToken, Address: "dQw4:APA91b-x_y"}, ""},
		"fid":      {peal.Device{Kind: peal.DeviceFCMFID, Address: "cXw4w9WgXcQabcdefghijk"}, ""},
		"none":     {peal.Device{Kind: peal.DeviceFCMToken}, "token"},
		"no fid":   {peal.Device{Kind: peal.DeviceFCMFID}, "token"},
		"spaces":   {peal.Device{Kind: peal.DeviceFCMToken, Address: "a b"}, "token"},
		"umlaut":   {peal.Device{Kind: peal.DeviceFCMToken, Address: "ü"}, "token"},
		"long":     {peal.Device{Kind: peal.DeviceFCMToken, Address: strings.Repeat("x", 2049)}, "token"},
		"another":  {peal.Device{Kind: peal.DeviceAPNs, Address: "00"}, "kind"},
		"no break": {peal.Device{Kind: peal.DeviceFCMToken, Address: "a\n"}, "token"},
	} {
		fields := fcm.Kind{}.CheckDevice(&c.device)
		if c.path == "" && len(fields) > 0 || c.path != "" && (len(fields) != 1 || fields[0].Path != c.path) {
			t.Errorf("%s: got %+v", name, fields)
		}
	}
}
