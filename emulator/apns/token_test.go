package apns_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"peal/emulator/apns"
)

// fresh is a view of the emulator with a connection of its own.
func (b *bundled) fresh() *bundled {
	f := *b
	f.http = b.client()
	return &f
}

func bearer(jwt string) change { return with("Authorization", "bearer "+jwt) }

func TestProviderTokensAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{Limits: apns.Limits{TokenUpdate: -1}})
	now := b.clock.Now()
	stranger := apns.New(apns.Options{})
	claims := fmt.Sprintf(`{"iss":%q,"iat":%d}`, team, now.Unix())
	head := fmt.Sprintf(`{"alg":"ES256","kid":%q}`, kid)
	for name, c := range map[string]struct {
		want string
		auth change
	}{
		"none":            {"MissingProviderToken", with("Authorization", "")},
		"basic":           {"MissingProviderToken", with("Authorization", "Basic abc")},
		"no JWT":          {"InvalidProviderToken", bearer("abc")},
		"right":           {"200", bearer(b.jwt)},
		"scheme in caps":  {"200", with("Authorization", "Bearer "+b.jwt)},
		"alg":             {"InvalidProviderToken", bearer(b.signed(strings.Replace(head, "ES256", "none", 1), claims, b.p8))},
		"no kid":          {"InvalidProviderToken", bearer(b.signed(`{"alg":"ES256"}`, claims, b.p8))},
		"other kid":       {"InvalidProviderToken", bearer(b.sign(team, "KEY0000009", b.p8, now))},
		"other team":      {"InvalidProviderToken", bearer(b.sign("TEAM000009", kid, b.p8, now))},
		"other key":       {"InvalidProviderToken", bearer(b.sign(team, kid, stranger.NewKey(team, kid), now))},
		"no iat":          {"InvalidProviderToken", bearer(b.signed(head, `{"iss":"`+team+`"}`, b.p8))},
		"iat as text":     {"InvalidProviderToken", bearer(b.signed(head, `{"iss":"`+team+`","iat":"1800000000"}`, b.p8))},
		"an hour old":     {"200", bearer(b.sign(team, kid, b.p8, now.Add(-time.Hour)))},
		"older":           {"ExpiredProviderToken", bearer(b.sign(team, kid, b.p8, now.Add(-time.Hour-time.Second)))},
		"from the future": {"InvalidProviderToken", bearer(b.sign(team, kid, b.p8, now.Add(10*time.Minute)))},
	} {
		t.Run(name, func(t *testing.T) {
			f := b.fresh()
			f.TB = t
			f.send(c.want, c.auth)
		})
	}
	b.send("200")
	b.clock.Advance(time.Hour + time.Second)
	b.send("ExpiredProviderToken") // one that was right before
}

func TestAConnectionBelongsToATeamAndAKey(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{Limits: apns.Limits{TokenUpdate: -1}})
	second := b.sign(team, "KEY0000002", b.emu.NewKey(team, "KEY0000002"), b.clock.Now())
	foreign := b.sign("TEAM000002", "KEY0000003", b.emu.NewKey("TEAM000002", "KEY0000003"), b.clock.Now())
	b.send("200")
	b.send("UnrelatedKeyIdInToken", bearer(second))
	b.send("InvalidProviderToken", bearer(foreign))
	b.send("200")
	b.fresh().send("200", bearer(second))
	b.fresh().send("200", bearer(foreign))
	conns := b.emu.Connections()
	if len(conns) != 3 || conns[0].Team != team || conns[0].KeyID != kid || conns[1].KeyID != "KEY0000002" {
		t.Errorf("connections %+v", conns)
	}
	b.emu.RemoveKey(kid)
	b.fresh().send("InvalidProviderToken")
}

func TestATeamStaysWithItsToken(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	b.send("200")
	b.clock.Advance(20*time.Minute - time.Second)
	newer := b.sign(team, kid, b.p8, b.clock.Now())
	other := b.fresh()
	other.send("TooManyProviderTokenUpdates", bearer(newer))
	other.send("TooManyProviderTokenUpdates") // the connection is of no use now
	b.send("200")                             // the older one still is, elsewhere
	second := b.sign(team, "KEY0000002", b.emu.NewKey(team, "KEY0000002"), b.clock.Now())
	b.fresh().send("TooManyProviderTokenUpdates", bearer(second)) // of the team, not of the key
	b.fresh().send("200", bearer(b.sign("TEAM000002", "KEY0000003", b.emu.NewKey("TEAM000002", "KEY0000003"), b.clock.Now())))
	b.clock.Advance(time.Second)
	b.send("200", bearer(newer))
	other.send("200", bearer(newer))
	b.send("200") // back to the older one is no update
	tokens := b.emu.Tokens()
	if len(tokens) != 3 || tokens[0].Uses != 3 || tokens[2].Uses != 2 || tokens[2].Connections != 2 {
		t.Errorf("tokens %+v", tokens)
	}
}

func TestAKeyHasItsScope(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{Environment: apns.Sandbox, Limits: apns.Limits{TokenUpdate: -1}})
	if a := b.send("200"); a.header.Get("apns-unique-id") == "" {
		t.Error("the sandbox gives apns-unique-id")
	}
	for id, c := range map[string]struct {
		key  apns.Key
		want string
	}{
		"KEY000000A": {apns.Key{Environment: apns.Production}, "BadEnvironmentKeyIdInToken"},
		"KEY000000B": {apns.Key{Environment: apns.Sandbox}, "200"},
		"KEY000000C": {apns.Key{Topics: []string{"org.example"}}, "TopicDisallowed"},
		"KEY000000D": {apns.Key{Topics: []string{bundle}}, "200"},
	} {
		p8 := b.emu.NewKey(team, id)
		c.key.Team, c.key.ID, c.key.PEM = team, id, p8
		if err := b.emu.AddKey(c.key); err != nil {
			t.Fatal(err)
		}
		b.fresh().send(c.want, bearer(b.sign(team, id, p8, b.clock.Now())))
	}
	for field, k := range map[string]apns.Key{
		"team":        {Team: "short", ID: kid, PEM: b.p8},
		"id":          {Team: team, ID: "short", PEM: b.p8},
		"environment": {Team: team, ID: kid, PEM: b.p8, Environment: "moon"},
		"pem":         {Team: team, ID: kid, PEM: []byte("secret")},
	} {
		if err := b.emu.AddKey(k); err == nil || !strings.HasPrefix(err.Error(), field+":") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
