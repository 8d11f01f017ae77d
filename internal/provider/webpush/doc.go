// Package webpush speaks to the push services of browsers, and to UnifiedPush servers, which have taken over the same
// protocol: RFC 8030 (the call), 8291 and 8188 (encryption), 8292 (VAPID, who is calling).
//
// It is written from the RFCs, the UnifiedPush specification and the error lists of autopush and ntfy; the emulator
// (peal/emulator/webpush) is written from the same and shares no code with it. What shapes this package:
//
//   - Each device brings the URL that is called. So every call goes to a stranger's address: it is dialed by the guard,
//     no redirect is followed, little of an answer is read, and no origin can take all of an integration's places.
//   - The pair of VAPID keys is the app's identity: subscriptions are bound to it, so it is made once and never changed.
//     A token made with it is good for a whole origin and half a day.
//   - A 2xx says that the push service has it. That it was shown only the app itself can say.
//   - The text is Declarative Web Push, which newer browsers show by themselves, and which a service worker shows elsewhere.
package webpush
