package fcm_test

import (
	"slices"
	"testing"

	"peal/api"
	emulator "peal/emulator/fcm"
	"peal/internal/peal"
	"peal/internal/provider"
)

func all() api.Push {
	return api.Push{
		Title: "Your order", Body: "It is on its way", Image: "https://example.com/a.png", Icon: "https://example.com/i.png", Sound: "default",
		Badge: new(3), Link: "https://example.com/orders/7", Actions: []api.PushAction{{ID: "track", Title: "Track it"}},
		Data: map[string]string{"order": "7"}, Channel: "orders", Category: "ORDER", Thread: "orders",
	}
}

// TestShown is what each platform makes of one content, and that a repeat takes the place of the first.
func TestShown(t *testing.T) {
	t.Parallel()
	for _, platform := range []emulator.Platform{emulator.Android, emulator.IOS, emulator.Web} {
		t.Run(string(platform), func(t *testing.T) {
			t.Parallel()
			b := setup(t, emulator.Options{})
			m := b.phone(platform, all())
			for range 2 {
				if out := b.client.Send(t.Context(), m); out.Class != peal.ClassAccepted {
					t.Fatalf("%+v", out)
				}
			}
			if n := len(b.emu.Shown(m.Device.Address)); n != 2 {
				t.Fatalf("%d reached it", n)
			}
			screen := b.emu.Screen(m.Device.Address)
			if len(screen) != 1 {
				t.Fatalf("%d on the screen, want the repeat alone", len(screen))
			}
			s := screen[0]
			if s.Title != "Your order" || s.Body != "It is on its way" || s.Image != "https://example.com/a.png" || s.Link != "https://example.com/orders/7" || s.Silent {
				t.Errorf("%+v", s)
			}
			if s.Data["peal_delivery_id"] != m.DeliveryID || s.Data["order"] != "7" {
				t.Errorf("data: %v", s.Data)
			}
			if want := []emulator.Action{{ID: "track", Title: "Track it", Link: "https://example.com/orders/7"}}; !slices.Equal(s.Actions, want) {
				t.Errorf("buttons: %+v", s.Actions)
			}
			switch platform {
			case emulator.Android:
				if s.CollapseKey != "" || s.Channel != "orders" || s.Sound != "default" || *s.Badge != 3 || s.Priority != "HIGH" {
					t.Errorf("%+v", s)
				}
			case emulator.IOS:
				if s.Category != "ORDER" || s.Thread != "orders" || s.Sound != "default" || *s.Badge != 3 || s.Priority != "10" {
					t.Errorf("%+v", s)
				}
			case emulator.Web:
				if s.Icon != "https://example.com/i.png" || s.Priority != "high" {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

func TestSilentIsNotShown(t *testing.T) {
	t.Parallel()
	for _, platform := range []emulator.Platform{emulator.Android, emulator.IOS, emulator.Web} {
		b := setup(t, emulator.Options{})
		m := b.phone(platform, api.Push{Silent: true, Data: map[string]string{"sync": "1"}, CollapseKey: "sync", TTL: new("1m")})
		if out := b.client.Send(t.Context(), m); out.Class != peal.ClassAccepted {
			t.Fatalf("%s: %+v", platform, out)
		}
		shown := b.emu.Shown(m.Device.Address)
		if len(shown) != 1 || !shown[0].Silent || shown[0].Data["sync"] != "1" || len(b.emu.Screen(m.Device.Address)) > 0 {
			t.Errorf("%s: %+v", platform, shown)
		}
	}
}

func TestInstallationID(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	d, err := b.emu.Register(emulator.Device{Project: project, FID: emulator.NewFID()})
	if err != nil {
		t.Fatal(err)
	}
	m := messageTo(d.FID, "android", hello())
	m.Device.Kind = peal.DeviceFCMFID
	if out := b.client.Send(t.Context(), m); out.Class != peal.ClassAccepted || b.emu.Taken(d.FID) != 1 {
		t.Errorf("%+v", out)
	}
}

// TestValidate shows nobody anything, and says what a send would.
func TestValidate(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	v := b.client.(provider.Validator)
	m := b.phone(emulator.Android, hello())
	if out := v.Validate(t.Context(), m); out.Class != peal.ClassAccepted || len(b.emu.Shown("")) > 0 || b.emu.Counts().Validated != 1 {
		t.Errorf("%+v", out)
	}
	if err := b.emu.Unregister(m.Device.Address); err != nil {
		t.Fatal(err)
	}
	if out := v.Validate(t.Context(), m); out.Class != peal.ClassGone || out.Device.Verdict != peal.DeviceDead {
		t.Errorf("%+v", out)
	}
}
