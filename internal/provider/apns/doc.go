// Package apns speaks to Apple's push service over HTTP/2, with provider tokens (ES256 JWTs).
//
// It is written from Apple's documents and from what others have seen of the service; the emulator (peal/emulator/apns)
// is written from the same and shares no code with it. What shapes this package:
//
//   - A team may change its provider token every 20 minutes at most, over all of its connections and keys. So the nodes
//     share one (provider.Tokens), and whoever is first makes the next.
//   - A connection has one stream until a first request with a right token was answered. So one message goes ahead, and
//     the others follow when it has been answered. Opening many connections is taken for an attack: there are a few, and
//     they stay open.
//   - What the service has provably not processed (GOAWAY, REFUSED_STREAM, a token that had just expired) is sent again
//     at once; what it may have processed is unknown. A push carries a collapse id, so that a repeat takes the place of
//     the first one on the device.
//   - An answer's body names a reason, and the reason decides (table.go).
package apns
