// Package whatsappcloud speaks to Meta's WhatsApp Cloud API, and to gateways that take the same bodies, such as 360dialog.
//
// It is written from Meta's OpenAPI description (v23.0) and Meta's developer pages; the emulator (peal/emulator/whatsappcloud)
// is written from the same and shares no code with it. What shapes this package:
//
//   - There is no idempotency key, but biz_opaque_callback_data carries the delivery's id and comes back in every status. So
//     a send whose answer was lost is found again by its own receipts.
//   - What an error means is in its code, never in its text or its HTTP status: see the table. It comes in the answer, in a
//     status "failed", or in both.
//   - Webhooks are signed with the app's secret over the bytes as they came.
package whatsappcloud
