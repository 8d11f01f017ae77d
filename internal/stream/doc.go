// Package stream is the nerve between the stages: NATS JetStream, embedded in the process.
//
// Jobs travel on a work queue with one message per delivery; every publish expects that none stands, so a delivery has
// at most one job. Jobs that are not due wait as message schedules. Both are written lazily: the ledger makes whole what
// a power failure takes. Webhooks travel on a stream that is synced before a publish is acknowledged.
package stream
