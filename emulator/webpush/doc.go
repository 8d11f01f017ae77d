// Package webpush is a stand-in for the push services of browsers (RFC 8030,
// 8291 and 8292) and for UnifiedPush servers, and for the browsers behind
// them: it makes subscriptions, keeps their private keys, decrypts what it is
// sent and tells what would be shown. It is meant for tests, demos and load
// runs: nothing leaves the process, it has no persistence, and its control
// routes have no authentication.
//
// It is written from the RFCs, the UnifiedPush specification and the error
// lists of autopush and ntfy, and shares no code with the provider that talks
// to it: otherwise the two would agree on the same mistake. Where the documents
// say nothing, a comment says "chosen".
//
// # Use in a test
//
//	emu := webpush.New(webpush.Options{})
//	defer emu.Close()
//	srv := httptest.NewServer(emu)
//	defer srv.Close()
//	emu.SetOrigin(srv.URL)
//
//	sub, err := emu.Subscribe(vapidPublicKey) // what PushManager.subscribe gives to a page
//	emu.AddFault(webpush.Fault{Kind: webpush.FaultStatus, Status: 429, RetryAfter: "30"})
//	... send ...
//	emu.Messages(webpush.Query{Endpoint: sub.Endpoint})
//
// # What it does
//
// A push is checked in this order: faults, endpoint (404, 410), TTL (400),
// VAPID (401, 403), Urgency and Topic (400), size (413), encryption (400). A
// real push service cannot look inside and answers 201 to what the browser then
// drops; this one answers 400 unless Options.Blind is set.
//
// A browser is online unless SetOnline says otherwise. While it is away its
// messages wait as long as their TTL says, one per Topic; TTL 0 is lost.
//
// Subscriptions made with Ntfy behave as at ntfy: 200 instead of 201, TTL
// neither wanted nor heeded, no VAPID needed, a body of more than 4096 bytes
// silently cut off, and GET ?up=1 for discovery.
//
// TTLs and tokens follow Options.Clock; delays and latency always run on real
// time.
//
// # Control routes
//
// All under /_emulator/, JSON in and out, unknown fields refused, errors as
// {"error":"..."}. Durations are Go strings ("150ms").
//
//	GET    /_emulator/health
//	POST   /_emulator/reset                forget subscriptions, messages, counts and faults
//	GET    /_emulator/counts?endpoint=
//	GET    /_emulator/messages?endpoint=&contains=&limit=   newest first, limit 100 unless told (most 10000)
//	GET    /_emulator/messages/{id}
//	GET    /_emulator/subscriptions?limit=
//	POST   /_emulator/subscriptions        {"vapid_public_key":"B…","count":3,"platform":"web","ntfy":false,"lifetime":"720h"}
//	PUT    /_emulator/subscriptions        {"endpoint":"http…","online":false}, {"endpoint":"http…","gone":410}
//	GET    /_emulator/faults
//	POST   /_emulator/faults               {"kind":"status","status":429,"times":2,"retry_after":"30"}
//	DELETE /_emulator/faults               all; /_emulator/faults/{id} one (releases what it holds)
//	PUT    /_emulator/latency              {"latency":"50ms"}
package webpush
