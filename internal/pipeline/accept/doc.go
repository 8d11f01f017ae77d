// Package accept is the first stage: it checks a request, has it planned, and puts it on disk before it is answered.
//
// Then it hands out a job per delivery. If that is lost, the ledger finds the row.
package accept
