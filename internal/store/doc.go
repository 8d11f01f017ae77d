// Package store keeps the records: what was accepted, what became of it, and who may see it.
//
// Reads go to a pool of connections. A write goes to a writer that puts whatever waits, from any caller, into one
// transaction and one fsync (group commit); a write that returned without error is on disk. The SQL lives beside the Go
// that runs it, one file per concern; the schema is in migrations.
//
// The records are in a SQLite file or in a PostgreSQL database. Statements are written once, in words that both
// understand; dialect.go has the few that differ. SQLite has one writer. PostgreSQL has one for each lane of writes, and
// its hot writes are statements for many rows (postgres_*.go): whatever calls of a kind wait go together. Several nodes
// may share a PostgreSQL database: rows are locked in the order of their ids, and what reads before it writes reads with
// a lock.
package store
