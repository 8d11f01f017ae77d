// Package browser tests web/client, the module for browsers, in a real Chromium with a real Peal. Chromium is driven over its
// DevTools pipe. What a test cannot have without a vendor's push service is stood in for:
//
//   - pushManager.subscribe and getSubscription give subscriptions of emulator/webpush;
//   - what that browser decrypts is handed to the service worker by DevTools' ServiceWorker.deliverPushMessage;
//   - nobody can click in a headless browser, and DevTools has no command for it: notificationclick and notificationclose are
//     dispatched in the worker, with the real notification, and clients.openWindow, which wants a real click, is recorded.
package browser
