// Package firebase drives the FCM emulator with Google's own Admin SDK, and
// holds JSON against the types that Google generates from FCM's discovery
// document. It is a module of its own: the SDK would bring some fifty modules
// into the product's go.mod.
package firebase
