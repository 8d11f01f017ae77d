// Package crash kills a real `peal serve` with SIGKILL at random moments under load, starts it again on the same folder,
// and then counts: every notification that was accepted is one row, and went out exactly once; or at most once, where
// Peal says itself that it is not certain.
//
// Its test prints its seed; -seed repeats the moments, -rounds kills more often.
package crash
