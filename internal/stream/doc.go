// Package stream is the nerve between the stages: NATS JetStream, embedded in the process or in a cluster of its own.
//
// Jobs travel on a work queue with one message per delivery; every publish expects that none stands, so a delivery has
// at most one job. Jobs that are not due wait as message schedules. Without replicas both are written
// lazily: the ledger makes whole what a power failure takes. Webhooks travel on a stream that is synced before a publish is
// acknowledged; in a cluster, when and whether files are synced is the cluster's setting.
//
// A lane of an integration's queue is a consumer whose state is in memory, and in the name of one owner. Feeds outlive
// servers that die; they end when their consumer is gone, and whoever holds them opens them again.
package stream
