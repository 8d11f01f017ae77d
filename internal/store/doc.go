// Package store keeps the records: what was accepted, what became of it, and who may see it.
//
// Reads go to a pool of connections. Every write goes through one writer that puts whatever waits, from any caller,
// into one transaction and one fsync (group commit); a write that returned without error is on disk. The SQL lives
// beside the Go that runs it, one file per concern; the schema is in migrations.
package store
