// Package api holds the types that cross Peal's HTTP API, and its error codes.
//
// The server and the Go SDK share it, so it imports the standard library only. Times are RFC 3339 in UTC,
// durations are Go durations as text ("10m", "24h"), phone numbers are E.164 ("+919812345678").
package api
