// Package wasender speaks to WasenderApi, a hosted WhatsApp gateway whose sessions are linked devices.
//
// It is written from the WasenderApi documentation, the npm package wasenderapi 0.4.0 and the vendor's n8n node; the
// emulator (peal/emulator/wasender) is written from the same and shares no code with it. What shapes this package:
//
//   - There is no idempotency key. A call whose answer is lost may have sent the message, so Send tells such a call
//     (unknown) strictly from one of which the provider cannot have seen the message (temporary).
//   - The answer to a send carries a msgId, while webhooks speak of the message by its WhatsApp key. The only
//     documented join of the two is GET /messages/{msgId}/info, which is what Lookup asks.
//   - Webhooks carry the secret itself in a header. It proves who knows the secret, not that the body is whole.
//   - Payloads vary: object or list, number or string, seconds or milliseconds. Decoding never fails on a field.
package wasender
