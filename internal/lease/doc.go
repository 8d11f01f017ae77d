// Package lease says which node does what only one may do at a time: sending over an integration, keeping the ledger.
//
// A lease is a row in the records that its holder renews. Whoever holds one checks it on the monotonic clock right
// before it acts: a process that was stopped for long, or cut off from the records, finds it run out and does not act,
// and only then can another have it. For whoever takes a lease that was not released has watched, on its own monotonic
// clock and for the whole life of a lease, that nobody renews it. No clock of the records or of another node has a say.
//
// Names are spread over the living nodes by rendezvous hashing, so that a node that joins or leaves moves only its share.
// One that cannot fill a lease refuses it, and is passed over.
package lease
