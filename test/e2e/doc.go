// Package e2e tests whole Peals from outside: each test starts one or more through package app, on the real engines in
// a folder of its own, speaks to them over HTTP, and has the provider's emulator at the other end.
//
// Everything is in the tests. They are named after what would break for a user.
package e2e
