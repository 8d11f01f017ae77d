// Package httpapi is the door: it reads requests, calls the stages and the records, and writes answers.
//
// One resource per file. Most operations go through huma, which checks them against their types and writes the OpenAPI
// document; the two that carry the load (notifications and batches) and the webhooks are plain handlers, described in
// the same document.
package httpapi
