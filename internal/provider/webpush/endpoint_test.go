package webpush

import (
	"strings"
	"testing"

	"peal/internal/peal"
)

func TestCheckDevice(t *testing.T) {
	t.Parallel()
	good := func() *peal.Device {
		return &peal.Device{Kind: peal.DeviceWebPush, Address: "https://push.example.com/x", P256dh: vectorReceiver, Auth: vectorAuth}
	}
	for name, c := range map[string]struct {
		change func(*peal.Device)
		path   string // empty: it is right
	}{
		"as it is":     {func(*peal.Device) {}, ""},
		"with a query": {func(d *peal.Device) { d.Address += "?token=a%2fb" }, ""},
		"with a port":  {func(d *peal.Device) { d.Address = "https://push.example.com:8443/x" }, ""},
		"padded keys":  {func(d *peal.Device) { d.Auth += "==" }, ""},
		"2000 bytes":   {func(d *peal.Device) { d.Address += strings.Repeat("x", 2000-len(d.Address)) }, ""},
		"2001 bytes":   {func(d *peal.Device) { d.Address += strings.Repeat("x", 2001-len(d.Address)) }, "subscription.endpoint"},
		"1000 for UnifiedPush": {func(d *peal.Device) {
			d.Kind = peal.DeviceUnifiedPush
			d.Address += strings.Repeat("x", 1000-len(d.Address))
		}, ""},
		"1001 for UnifiedPush": {func(d *peal.Device) {
			d.Kind = peal.DeviceUnifiedPush
			d.Address += strings.Repeat("x", 1001-len(d.Address))
		}, "subscription.endpoint"},
		"no endpoint":            {func(d *peal.Device) { d.Address = "" }, "subscription.endpoint"},
		"no URL":                 {func(d *peal.Device) { d.Address = "push.example.com/x" }, "subscription.endpoint"},
		"another scheme":         {func(d *peal.Device) { d.Address = "ftp://push.example.com/x" }, "subscription.endpoint"},
		"no host":                {func(d *peal.Device) { d.Address = "https:///x" }, "subscription.endpoint"},
		"opaque":                 {func(d *peal.Device) { d.Address = "https:push.example.com" }, "subscription.endpoint"},
		"a user":                 {func(d *peal.Device) { d.Address = "https://a@push.example.com/x" }, "subscription.endpoint"},
		"a fragment":             {func(d *peal.Device) { d.Address += "#a" }, "subscription.endpoint"},
		"an empty fragment":      {func(d *peal.Device) { d.Address += "#" }, "subscription.endpoint"},
		"a space":                {func(d *peal.Device) { d.Address += "a b" }, "subscription.endpoint"},
		"not ASCII":              {func(d *peal.Device) { d.Address = "https://püsh.example.com/x" }, "subscription.endpoint"},
		"http to a public host":  {func(d *peal.Device) { d.Address = "http://8.8.8.8/x" }, "subscription.endpoint"},
		"http to a private host": {func(d *peal.Device) { d.Address = "http://192.168.1.5:8080/upX" }, ""},
		"http to a name":         {func(d *peal.Device) { d.Address = "http://ntfy.lan/upX" }, ""},
		"no key":                 {func(d *peal.Device) { d.P256dh = "" }, "subscription.keys.p256dh"},
		"a short key":            {func(d *peal.Device) { d.P256dh = d.P256dh[:80] }, "subscription.keys.p256dh"},
		"a key off the curve":    {func(d *peal.Device) { d.P256dh = "BA" + d.P256dh[2:60] + "AAAA" + d.P256dh[64:] }, "subscription.keys.p256dh"},
		"a compressed key":       {func(d *peal.Device) { d.P256dh = "Ag" + d.P256dh[2:44] }, "subscription.keys.p256dh"},
		"standard base64":        {func(d *peal.Device) { d.P256dh = strings.NewReplacer("-", "+", "_", "/").Replace(d.P256dh) }, "subscription.keys.p256dh"},
		"no secret":              {func(d *peal.Device) { d.Auth = "" }, "subscription.keys.auth"},
		"a long secret":          {func(d *peal.Device) { d.Auth += "AAAA" }, "subscription.keys.auth"},
	} {
		d := good()
		c.change(d)
		fields := Kind{}.CheckDevice(d)
		switch {
		case c.path == "" && len(fields) > 0:
			t.Errorf("%s: refused: %+v", name, fields)
		case c.path != "" && (len(fields) != 1 || fields[0].Path != c.path || fields[0].Message == "" || fields[0].Code == ""):
			t.Errorf("%s: got %+v", name, fields)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"https://Push.Example.COM/x":      "https://push.example.com",
		"https://push.example.com:443/x":  "https://push.example.com",
		"https://push.example.com:8443/x": "https://push.example.com:8443",
		"https://push.example.com:/x":     "https://push.example.com",
		"http://10.0.0.1:80/x":            "http://10.0.0.1",
		"http://10.0.0.1:443/x":           "http://10.0.0.1:443",
		"https://[2001:DB8::1]:443/x":     "https://[2001:db8::1]",
	} {
		u, err := parseEndpoint(peal.DeviceWebPush, endpoint)
		if err != nil {
			t.Errorf("%s: %v", endpoint, err)
			continue
		}
		if got := originOf(u); got != want {
			t.Errorf("%s: got %s, want %s", endpoint, got, want)
		}
	}
}
