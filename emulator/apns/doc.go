// Package apns is a stand-in for Apple's push service (APNs). It is meant for
// tests, demos and load runs: nothing is ever sent to Apple, it has no
// persistence, and its control routes have no authentication.
//
// It is written from the vendor's documents and from what others have seen of
// the service, and shares no code with the provider that talks to it: otherwise
// the two would agree on the same mistake. Where the vendor prints nothing, a
// comment says "chosen". The frames of HTTP/2 are its own, since net/http's
// server can neither give a reason with GOAWAY nor change its settings later.
//
// # Use in a test
//
//	emu := apns.New(apns.Options{Devices: []apns.Device{{Token: token, Bundle: "org.example.app"}}})
//	defer emu.Close()
//	addr, err := emu.Start("127.0.0.1:0")
//	p8 := emu.NewKey("TEAM000001", "KEY0000001")
//
//	// The provider under test gets "https://" + addr, the CA emu.CA() and p8.
//	emu.AddFault(apns.Fault{Kind: apns.FaultGoAway, Reason: "Shutdown"})
//	... send ...
//	emu.Shown(token)
//	emu.Connections()
//
// # What it does
//
// POST /3/device/<token> over TLS, with a certificate of an authority that is
// made at the start. A server stands for one environment. A request is checked
// in this order: faults, path, method, provider token, headers that came twice,
// apns-id, topic and push type, priority, expiration, collapse id, device
// token, size, payload; then the team's right to the app, the device, and the
// limit of one device. The order is chosen.
//
// Provider tokens are ES256 JWTs: the signature against the registered keys,
// the team, an age of an hour at most, the key's environment and topics; one
// team and one key per connection; a team's next token 20 minutes after the
// last one at the earliest, over all connections. A connection has one stream
// until the first right token came, then 1000; what is above is reset with
// REFUSED_STREAM.
//
// A device that is off keeps the latest push for later, unless it has expired
// or was sent with apns-expiration 0.
//
// Tokens' ages, expirations and logs follow Options.Clock; waits run on real
// time. Certificates, broadcasts and channels are not emulated.
//
// # Control routes
//
// [Server.Control] serves them over plain HTTP: all under /_emulator/, JSON in
// and out, unknown fields refused, errors as {"error":"..."}. Durations are Go
// strings ("150ms").
//
//	GET    /_emulator/health
//	GET    /_emulator/ca                       {"pem":"..."}
//	POST   /_emulator/reset                    forget pushes, counts, faults, tokens; devices as at the start
//	GET    /_emulator/pushes?token=&status=&reason=&contains=&limit=   newest first, limit 100 unless told
//	GET    /_emulator/counts
//	GET    /_emulator/connections              of the past too
//	POST   /_emulator/connections              {"do":"goaway","reason":"Shutdown"}; drop, refuse, allow, {"do":"streams","streams":5}
//	GET    /_emulator/tokens                   provider tokens that were accepted
//	POST   /_emulator/keys                     {"team":"TEAM000001","id":"KEY0000001"}; makes a .p8 unless "pem" is there
//	DELETE /_emulator/keys/{id}
//	PUT    /_emulator/apps                     {"bundle":"org.example.app","team":"...","strings":{},"categories":{}}
//	GET    /_emulator/devices
//	PUT    /_emulator/devices                  {"token":"...","bundle":"org.example.app"}
//	GET    /_emulator/devices/{token}
//	PUT    /_emulator/devices/{token}          {"offline":true}, {"gone":"Unregistered","gone_at":"..."} (or ExpiredToken)
//	GET    /_emulator/devices/{token}/shown    the oldest first
//	GET    /_emulator/devices/{token}/screen   the lock screen, the newest first
//	GET    /_emulator/faults
//	POST   /_emulator/faults                   {"kind":"reason","reason":"Unregistered","token":"...","times":2}
//	DELETE /_emulator/faults                   all; /_emulator/faults/{id} one (releases what it holds)
//	PUT    /_emulator/latency                  {"latency":"50ms"}
package apns
