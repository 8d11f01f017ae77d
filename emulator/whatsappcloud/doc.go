// Package whatsappcloud is a stand-in for Meta's WhatsApp Cloud API. It is
// meant for tests, demos and load runs: nothing is ever sent to WhatsApp, it
// has no persistence, and its control routes have no authentication.
//
// It is written from Meta's OpenAPI description (v23.0), Meta's developer pages
// and what vendors quote of them, and shares no code with the provider that
// talks to it: otherwise the two would agree on the same mistake. Where Meta
// prints nothing, a comment says "chosen".
//
// # Use in a test
//
//	emu := whatsappcloud.New(whatsappcloud.Options{
//		Accounts: []whatsappcloud.Account{{WebhookURL: hooks.URL + "/hooks/whatsapp-cloud/token"}},
//	})
//	defer emu.Close()
//	srv := httptest.NewServer(emu)
//	defer srv.Close()
//
//	// The provider under test gets the base URL srv.URL, whatsappcloud.DefaultToken
//	// and whatsappcloud.DefaultNumber. Free text needs an open 24-hour window:
//	emu.PlayInbound(whatsappcloud.Inbound{From: "16505551234", Text: "hello"})
//	emu.AddFault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131016, Times: 2})
//	... send ...
//	emu.Idle(ctx) // every webhook was posted, dropped or given up
//	emu.CountByRecipient("16505551234")
//	emu.MaxInWindow(whatsappcloud.DefaultNumber, time.Second)
//
// # What it does
//
// It serves POST /{version}/{number}/messages (every kind of message, and
// mark-as-read), media, the template catalogue, phone numbers, message history
// and subscribed_apps, with Meta's error bodies. With Options.Gateway it also
// serves the same without version and number in the path, by a key in a header,
// as 360dialog does.
//
// A send is checked in this order: faults, version, token, number, JSON,
// schema, magic number, state of number and account, throughput, pair limit,
// spam limit, template, media, 24-hour window, consent, messaging limit. Most
// of it is answered at once; what Meta finds out later is taken with 200 and
// becomes a "failed" status (see [ErrorRow].Via).
//
// Every row of the error table can be had on request: by a [Fault] (for the
// next n, by recipient), or by sending to [MagicNumber] of its code:
// 999 0 CCCCCC in the row's own way, 999 1 CCCCCC at once, 999 2 CCCCCC by
// webhook, 999 3 CCCCCC both, where CCCCCC is the code in six digits.
//
// Limits, windows, expiries and timestamps follow Options.Clock; the delays of
// faults and webhooks always run on real time.
//
// # Control routes
//
// All under /_emulator/, JSON in and out, unknown fields refused, errors as
// {"error":"..."}. Durations are Go strings ("150ms").
//
//	GET    /_emulator/health
//	POST   /_emulator/reset
//	GET    /_emulator/idle?timeout=5s           200 when no webhook waits, 504 otherwise
//	GET    /_emulator/messages?number=&to=&contains=&limit=   newest first
//	GET    /_emulator/messages/{id}
//	POST   /_emulator/messages/{id}/status      {"status":"failed","code":131026}  plays one status now
//	GET    /_emulator/counts?number=&to=&contains=&window=1s
//	GET    /_emulator/errors                    the error table
//	GET    /_emulator/faults
//	POST   /_emulator/faults                    {"kind":"error","code":131056,"times":2,"to":"..."}
//	DELETE /_emulator/faults                    all; /_emulator/faults/{id} one (releases what it holds)
//	GET    /_emulator/script?to=
//	PUT    /_emulator/script?to=                {"steps":[{"status":"sent","delay":"50ms"}],"order":"shuffle","seed":7}
//	GET    /_emulator/accounts                  with tokens and secrets
//	PUT    /_emulator/accounts/{id}             {"webhook_url":"...","tier":"TIER_2K","locked":true}
//	GET    /_emulator/numbers
//	PUT    /_emulator/numbers/{id}              {"quality":"RED","throughput":20,"spam_limited":true}
//	GET    /_emulator/templates?account=
//	PUT    /_emulator/templates                 {"name":"a","language":"en","status":"PAUSED"}, with its webhook
//	GET    /_emulator/users/{phone or user id}
//	PUT    /_emulator/users/{phone or user id}  {"absent":true,"hide_phone":true,"window":"1h"}
//	POST   /_emulator/inbound                   {"from":"16505551234","text":"STOP"}
//	POST   /_emulator/preference                {"user":"16505551234","value":"stop"}
//	POST   /_emulator/moved                     {"user":"16505551234","phone":"16505559999"}  has another number; "kind":"user_changed_user_id" another id with it
//	POST   /_emulator/verify                    {"account":"..."}   the handshake against the webhook URL
//	POST   /_emulator/hold                      {"hold":true} keeps webhooks back, {"hold":false} lets all go
//	POST   /_emulator/webhook                   {"account":"...","field":"...","value":{...}} or {"raw":"..."}
package whatsappcloud
