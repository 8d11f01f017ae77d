// Package fcm is a stand-in for Firebase Cloud Messaging's HTTP v1 API and for
// the OAuth token endpoint before it. It is meant for tests, demos and load
// runs: nothing is ever sent to Google, it has no persistence, and its control
// routes have no authentication.
//
// It is written from the vendor's facts (the discovery document, revision
// 20261023; the pages about errors, throttling and service accounts; answers
// that others have published) and shares no code with the provider that talks
// to it. Where the vendor prints nothing, a comment says "chosen", "not
// documented" or "unseen". Google's own Admin SDK is driven against it in
// test/firebase.
//
// # Use in a test
//
//	emu := fcm.New(fcm.Options{})
//	defer emu.Close()
//	srv := httptest.NewServer(emu)
//	defer srv.Close()
//	emu.SetURL(srv.URL)
//	file, err := emu.NewServiceAccount("demo") // its token_uri is srv.URL + "/token"
//	phone, err := emu.Register(fcm.Device{Project: "demo"})
//
//	// The provider under test gets the file and the base URL srv.URL.
//	emu.AddFault(fcm.Fault{Kind: fcm.FaultError, Failure: fcm.Unavailable, RetryAfter: "30", Times: 2})
//	... send to phone.Token ...
//	emu.Screen(phone.Token)
//	emu.MaxInWindow("demo", time.Second)
//
// # What it does
//
// POST /token verifies the RS256 assertion against the service accounts that it
// knows (key id, audience, scope, iat, exp at most an hour later) and answers
// as Google does. POST /v1/projects/{project}/messages:send looks at the
// bearer token, the project's quota, the body (every field of the discovery
// document by its type, unknown ones refused; then targets, reserved data
// keys, TTL, labels, headers), the device, the payload's size and the device's
// limits, in this order, and then hands the message to the phone. With
// validateOnly it stops before the device's limits and delivers nothing. Any
// other path gets Google's HTML 404.
//
// Sends to topics and conditions are checked and taken, and reach nobody.
//
// # Failures on request
//
// [Server.AddFault] makes the next sends fail, all of them or those to one
// address or project, or the next requests to the token endpoint. Without any
// set-up, a send to the token "magic-<what>" does so, where <what> is the name
// of a [Failure] ("magic-unregistered"), drop_before, drop_after, slow or ok;
// "magic-unregistered-17" does the same and is another token.
//
// Quotas and times follow Options.Clock; the delays of faults and latencies
// always run on real time.
//
// # Control routes
//
// All under /_emulator/, JSON in and out, unknown fields refused, errors as
// {"error":"..."}. Durations are Go strings ("150ms"). An address is a token or
// an FID.
//
//	GET    /_emulator/health
//	POST   /_emulator/reset                     forget devices, access tokens, faults, counts and what was shown; accounts stay
//	GET    /_emulator/counts?address=&project=&window=1s
//	GET    /_emulator/shown?address=            what reached the phones, oldest first
//	GET    /_emulator/screen?address=           what stands on the lock screen, newest first
//	GET    /_emulator/faults
//	POST   /_emulator/faults                    {"kind":"error","failure":"unavailable","times":2,"retry_after":"30"}
//	DELETE /_emulator/faults                    all; ?id= one (releases what it holds)
//	GET    /_emulator/devices
//	POST   /_emulator/devices                   {"project":"demo","platform":"ios","app":"com.example"}
//	PUT    /_emulator/devices                   {"address":"...","online":false}
//	DELETE /_emulator/devices?address=          the app is gone: UNREGISTERED
//	POST   /_emulator/service-accounts          {"project":"demo"}   answers the JSON file
//	DELETE /_emulator/service-accounts?project= the token endpoint says invalid_grant
//	POST   /_emulator/access-tokens             {"project":"demo"}
//	DELETE /_emulator/access-tokens?project=    sends get 401
//	PUT    /_emulator/latency                   {"send":"50ms","token":"0s"}
//	PUT    /_emulator/platform-auth             {"project":"demo","platform":"ios","ok":false}   THIRD_PARTY_AUTH_ERROR
package fcm
