// Package chaos breaks what the large size stands on, under load, and then counts.
//
// Three real `peal serve` with all roles work over a NATS cluster of three servers and a PostgreSQL, all of them
// processes of their own, with the provider's emulator at the other end. By a schedule that follows from a seed nodes are
// killed, stopped and paused, NATS servers are killed, PostgreSQL is restarted, and the provider refuses, fails, and drops
// connections before and after it has taken the message. Afterwards every notification that was accepted must have come
// to one end: one row, sent once, or uncertain where Peal says so itself.
//
//	go test ./test/chaos                                                          a short run
//	go test ./test/chaos -run TestChaos -duration 30m -notifications 200000 -seed 7 -timeout 0  a long one
//
// It needs PostgreSQL's programs (initdb, postgres) and skips without them.
package chaos
