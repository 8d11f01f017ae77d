// Package fcm speaks to Firebase Cloud Messaging by its HTTP v1 API, which reaches apps on Android, iOS and the web.
//
// It is written from the API's discovery document (revision 20261023) and Google's pages about errors, throttling and
// service accounts; the emulator (peal/emulator/fcm) is written from the same and shares no code with it. What shapes
// this package:
//
//   - Every call carries an access token of an hour, which a service account's signature is traded for. One is kept per
//     client and renewed beside the sends, so that a slow token endpoint holds nobody up as long as the old one is good.
//   - A message is translated for all three platforms at once, whatever the device says it is: FCM takes of it what the
//     device needs.
//   - A repeat carries the same tag and collapse id, so the device shows it once. That is why sends may double.
//   - A code of an answer can mean more than one thing; outcome.go says which, and docs/providers/fcm.md tells the table.
package fcm
