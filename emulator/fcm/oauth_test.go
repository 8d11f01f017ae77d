package fcm_test

import (
	"testing"
	"time"

	"peal/emulator/fcm"
)

const grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

func TestToken(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	a, other := b.account("demo"), b.account("other")
	second := b.account("demo") // a further key of the same account
	now := b.clock.Now().Unix()
	try := func(change func(head, claims map[string]any), by *account) string {
		head := map[string]any{"alg": "RS256", "typ": "JWT", "kid": a.KeyID}
		claims := map[string]any{"iss": a.Email, "aud": a.TokenURI, "scope": "https://www.googleapis.com/auth/firebase.messaging", "iat": now, "exp": now + 3600}
		change(head, claims)
		return by.sign(head, claims)
	}
	nothing := func(map[string]any, map[string]any) {}
	good := b.token(grant, try(nothing, a), 200)
	if good.json["token_type"] != "Bearer" || good.json["expires_in"] != float64(3599) || good.json["access_token"] == "" {
		t.Errorf("%s", good.body)
	}
	b.bearer = good.json["access_token"].(string)
	b.message(b.phone.Token, "", 200)
	b.clock.Advance(time.Hour)
	b.message(b.phone.Token, "", 401)
	b.clock.Advance(-time.Hour)
	b.token(grant, try(func(_, c map[string]any) { c["scope"] = "https://www.googleapis.com/auth/cloud-platform openid" }, a), 200)
	b.token(grant, try(func(h, _ map[string]any) { h["kid"] = second.KeyID }, second), 200)

	for name, tc := range map[string]struct {
		change func(head, claims map[string]any)
		by     *account
		err    string
	}{
		"signature":    {nothing, other, "invalid_grant"},
		"kid":          {func(h, _ map[string]any) { h["kid"] = "nope" }, a, "invalid_grant"},
		"no kid":       {func(h, _ map[string]any) { delete(h, "kid") }, a, "invalid_grant"},
		"other's kid":  {func(h, _ map[string]any) { h["kid"] = second.KeyID }, a, "invalid_grant"},
		"alg":          {func(h, _ map[string]any) { h["alg"] = "none" }, a, "invalid_grant"},
		"iss":          {func(_, c map[string]any) { c["iss"] = "who@nowhere" }, a, "invalid_grant"},
		"other's name": {func(_, c map[string]any) { c["iss"] = other.Email }, a, "invalid_grant"},
		"aud":          {func(_, c map[string]any) { c["aud"] = "https://oauth2.googleapis.com/token" }, a, "invalid_grant"},
		"no iat":       {func(_, c map[string]any) { delete(c, "iat") }, a, "invalid_grant"},
		"no exp":       {func(_, c map[string]any) { delete(c, "exp") }, a, "invalid_grant"},
		"too long":     {func(_, c map[string]any) { c["exp"] = now + 3601 }, a, "invalid_grant"},
		"expired":      {func(_, c map[string]any) { c["iat"], c["exp"] = now-3600, now }, a, "invalid_grant"},
		"clock ahead":  {func(_, c map[string]any) { c["iat"], c["exp"] = now+600, now+4000 }, a, "invalid_grant"},
		"scope":        {func(_, c map[string]any) { c["scope"] = "openid" }, a, "invalid_scope"},
		"no scope":     {func(_, c map[string]any) { delete(c, "scope") }, a, "invalid_scope"},
	} {
		if got := b.token(grant, try(tc.change, tc.by), 400); got.json["error"] != tc.err || got.json["error_description"] == "" {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	for what, want := range map[[2]string]string{
		{"password", "x"}: "unsupported_grant_type", {grant, ""}: "invalid_request", {grant, "x.y"}: "invalid_grant", {grant, "a.b.c"}: "invalid_grant",
	} {
		if got := b.token(what[0], what[1], 400); got.json["error"] != want {
			t.Errorf("%v: %s", what, got.body)
		}
	}
	if got, err := b.call("POST", "/token", "application/json", `{}`); err != nil || got.status != 400 || got.json["error"] != "invalid_request" {
		t.Errorf("JSON: %v %s", err, got.body)
	}
	b.emu.RemoveServiceAccounts("demo")
	if got := b.token(grant, try(nothing, a), 400); got.json["error_description"] != "Invalid grant: account not found" {
		t.Errorf("removed: %s", got.body)
	}
	if c := b.emu.Counts(); c.Tokens < 20 || c.Refused != c.Tokens-3 {
		t.Errorf("counts %+v", c)
	}
}

func TestTokenFaults(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	a := b.account("demo")
	now := b.clock.Now().Unix()
	assertion := a.sign(map[string]any{"alg": "RS256", "kid": a.KeyID},
		map[string]any{"iss": a.Email, "aud": a.TokenURI, "scope": "https://www.googleapis.com/auth/firebase.messaging", "iat": now, "exp": now + 60})
	b.fault(fcm.Fault{Route: fcm.RouteToken, Kind: fcm.FaultError, Failure: fcm.InvalidGrant})
	b.token(grant, assertion, 400)
	b.fault(fcm.Fault{Route: fcm.RouteToken, Kind: fcm.FaultError, Failure: fcm.HTML})
	b.token(grant, assertion, 502)
	b.message(b.phone.Token, "", 200) // a fault of the token endpoint is none of the sends'
	hold := b.fault(fcm.Fault{Route: fcm.RouteToken, Kind: fcm.FaultHold})
	got := make(chan int)
	go func() { got <- b.token(grant, assertion, 200).status }()
	b.eventually("the request waits", func() bool { return b.emu.Faults()[2].Hits == 1 })
	if err := b.emu.RemoveFault(hold); err != nil {
		t.Fatal(err)
	}
	<-got
	b.emu.SetTokenLatency(time.Millisecond)
	b.token(grant, assertion, 200)
}

func TestWhoMaySend(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	b.emu.AddProject("other")
	body := `{"message":{"token":"` + b.phone.Token + `"}}`
	good := b.bearer
	for _, tc := range []struct {
		bearer, project string
		status          int
		want            string
	}{
		{good, "demo", 200, ""},
		{good, b.emu.ProjectNumber("demo"), 200, ""},
		{good, b.emu.ProjectNumber("other"), 403, "PERMISSION_DENIED"},
		{"", "demo", 401, "UNAUTHENTICATED"},
		{"ya29.nope", "demo", 401, "UNAUTHENTICATED"},
		{good, "other", 403, "PERMISSION_DENIED"},
		{good, "nowhere", 404, "NOT_FOUND"},
	} {
		b.bearer = tc.bearer
		a := b.do("POST", "/v1/projects/"+tc.project+"/messages:send", body, tc.status)
		if tc.status != 200 && (at(a.json, "error", "status") != tc.want || code(a) != "") {
			t.Errorf("%+v: %s", tc, a.body)
		}
	}
	b.bearer = good
	b.emu.RevokeTokens("demo")
	if a := b.message(b.phone.Token, "", 401); a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("%v", a.header)
	}
	for _, path := range []string{"POST /v1/projects/demo/messages", "GET /v1/projects/demo/messages:send", "POST /v1/projects//messages:send", "POST /batch", "GET /token"} {
		method, path := path[:len(path)-len(path[indexSpace(path):])], path[indexSpace(path)+1:]
		if a := b.do(method, path, "", 404); a.json != nil {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

func indexSpace(text string) int {
	for i := range text {
		if text[i] == ' ' {
			return i
		}
	}
	return 0
}

func TestServiceAccounts(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	file, err := b.emu.NewServiceAccount("demo")
	if err != nil {
		t.Fatal(err)
	}
	later := fcm.New(fcm.Options{}) // an emulator of a later start takes the file
	if err := later.AddServiceAccount(file); err != nil {
		t.Error(err)
	}
	if _, err := later.NewServiceAccount("demo"); err == nil {
		t.Error("an account without a URL")
	}
	if _, err := b.emu.NewServiceAccount("No Project"); err == nil {
		t.Error("a bad project")
	}
	for _, bad := range []string{``, `{}`, `{"client_email":"a","private_key_id":"b","project_id":"demo","private_key":"x"}`} {
		if later.AddServiceAccount([]byte(bad)) == nil {
			t.Errorf("taken: %s", bad)
		}
	}
}
