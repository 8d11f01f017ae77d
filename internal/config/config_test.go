package config

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDefault(t *testing.T) {
	t.Parallel()
	want := Config{
		Listen: "127.0.0.1:7325", Data: "peal-data", LogLevel: "info", LogFormat: "json",
		TenantMaxQueued: 5_000_000, DrainTimeout: 20 * time.Second, MaxBodyBytes: 1 << 20, MaxBatchBytes: 8 << 20,
		AcceptQueue: 4096, LedgerEvery: 30 * time.Second, Retention: 2160 * time.Hour, CallbackRetention: 720 * time.Hour, CallbackMaxBytes: 10 << 30, EventRetention: 168 * time.Hour, DeviceUnseen: "6480h",
	}
	if diff := cmp.Diff(want, Default()); diff != "" {
		t.Errorf("Default() (-want +got):\n%s", diff)
	}
}

func TestFieldsAreComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range Fields() {
		if f.Env == "" || f.Help == "" || seen[f.Env] {
			t.Errorf("%+v: env or help is missing, or the env is there twice", f)
		}
		seen[f.Env] = true
		if typ := reflect.TypeFor[Config]().Field(f.index).Type; typ == reflect.TypeFor[Secret]() && f.Flag != "" {
			t.Errorf("--%s: a secret must not have a flag", f.Flag)
		}
	}
}

func TestExternalURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ public, listen, bound, want string }{
		{"", "127.0.0.1:7325", "", "http://127.0.0.1:7325"},
		{"", "127.0.0.1:0", "127.0.0.1:49153", "http://127.0.0.1:49153"},
		{"", ":7325", "[::]:7325", "http://127.0.0.1:7325"},
		{"", "0.0.0.0:7325", "", "http://127.0.0.1:7325"},
		{"", "[::1]:7325", "", "http://[::1]:7325"},
		{"", "peal.internal:80", "", "http://peal.internal:80"},
		{"https://peal.example.com/x/", ":7325", "[::]:7325", "https://peal.example.com/x"},
	} {
		c := Config{PublicURL: tt.public, Listen: tt.listen}
		if got := c.ExternalURL(tt.bound); got != tt.want {
			t.Errorf("ExternalURL(%q) of %+v = %q, want %q", tt.bound, tt, got, tt.want)
		}
	}
}

func TestPrivateNetworks(t *testing.T) {
	t.Parallel()
	c := Config{AllowPrivateNetworks: []string{"10.1.2.3/16", " 127.0.0.1", "::1", "fd00::/8"}}
	got, err := c.PrivateNetworks()
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, p := range got {
		text = append(text, p.String())
	}
	want := []string{"10.1.0.0/16", "127.0.0.1/32", "::1/128", "fd00::/8"}
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("PrivateNetworks() (-want +got):\n%s", diff)
	}
}
