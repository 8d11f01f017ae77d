package peal

import "time"

// Retention is what became of records whose time was over.
type Retention struct {
	Deliveries int64    // rows that left one by one
	Partitions []string // what left as a whole
	Kept       []Held
}

// Held is what stays though its time is over: somebody or something still waits for it.
type Held struct {
	Name        string    // of the partition; empty where rows leave one by one
	Before      time.Time // what it holds was accepted before then
	InFlight    int64     // deliveries whose end is not known
	DeadLetters int64     // deliveries that wait for a person
}
