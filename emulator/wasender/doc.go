// Package wasender is a stand-in for the WasenderApi WhatsApp provider. It is
// meant for tests, demos and load runs: nothing is ever sent to WhatsApp, it
// has no persistence, and its control routes have no authentication.
//
// It is written from the vendor's facts (WasenderApi documentation, and the
// types of the npm package wasenderapi 0.4.0) and shares no code with the
// provider that talks to it: otherwise the two would agree on the same
// mistake. Where the vendor prints nothing, a comment says "chosen".
//
// # Use in a test
//
//	emu := wasender.New(wasender.Options{
//		Sessions: []wasender.Session{{
//			APIKey:        "key-1",
//			WebhookURL:    hooks.URL + "/hooks/wasender/token",
//			WebhookSecret: "secret-1",
//			LogMessages:   true,
//		}},
//	})
//	defer emu.Close()
//	srv := httptest.NewServer(emu)
//	defer srv.Close()
//
//	// The provider under test gets the base URL srv.URL + "/api".
//	emu.AddFault(wasender.Fault{Kind: wasender.FaultStatus, Status: 503, Times: 2})
//	... send ...
//	emu.Idle(ctx) // every webhook was posted, dropped or given up
//	emu.CountByRecipient("+4915112345678")
//	emu.MaxInWindow(1, time.Second)
//
// # What it does
//
// POST /api/send-message validates like the vendor (Laravel's 422 shape), keeps
// the session's send limit, takes the message and answers with a msgId. Then
// the webhook player posts the events of the [Script] to the session's URL.
// Beside it: message info, edit, delete and resend, /status, /on-whatsapp,
// /auth-check and the /whatsapp-sessions routes of the personal access token.
// Uploads, presence, contacts and groups are not emulated (404).
//
// A send is checked in this order: faults, token, JSON, validation, session
// state, limit. Only taken messages use up the limit.
//
// Limits, times and timestamps follow Options.Now; the delays of faults and
// webhooks always run on real time.
//
// # Control routes
//
// All under /_emulator/, JSON in and out, unknown fields refused, errors as
// {"error":"..."}. Durations are Go strings ("150ms").
//
//	GET    /_emulator/health
//	POST   /_emulator/reset                    forget messages, counts, faults, webhooks; sessions and script as at the start
//	GET    /_emulator/idle?timeout=5s          200 when the webhook player is idle, 504 otherwise
//	GET    /_emulator/messages?session=&to=&contains=&limit=   newest first, limit 100 unless told (most 10000)
//	GET    /_emulator/messages/{msgId}
//	POST   /_emulator/messages/{msgId}/status  {"status":3,"shape":{...}}   plays one status event now
//	GET    /_emulator/counts?to=&contains=&session=&window=1s
//	GET    /_emulator/faults
//	POST   /_emulator/faults                   {"kind":"status","status":503,"times":2,"retry_after":"1"}
//	DELETE /_emulator/faults                   all; /_emulator/faults/{id} one (releases what it holds)
//	GET    /_emulator/script?to=
//	PUT    /_emulator/script?to=               {"steps":[{"status":2,"delay":"50ms"}],"order":"shuffle","seed":7}
//	GET    /_emulator/sessions                 with keys and secrets
//	POST   /_emulator/sessions                 {"name":"b","api_key":"key-2","webhook_url":"http://..."}
//	GET    /_emulator/sessions/{id}
//	PUT    /_emulator/sessions/{id}            {"state":"logged_out"}, {"limit":{"requests":45,"period":"1s"}}
//	                                           ({"requests":0,"period":"0s"} takes the limit away), or other fields of POST
//	POST   /_emulator/inbound                  {"session":1,"from":"+4915112345678","text":"STOP"}
//	POST   /_emulator/webhook                  {"session":1,"body":{...}}   posts any JSON with the secret
package wasender
