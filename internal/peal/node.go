package peal

import "time"

// Roles of a process. Any process may have any of them; one that has all is a whole Peal.
const (
	RoleAccept = "accept" // the HTTP API and the door for webhooks
	RoleRoute  = "route"  // expands audiences
	RoleSend   = "send"   // calls providers
	RoleTrack  = "track"  // folds webhooks, looks up, keeps the ledger
)

// Roles are all of them, in the order of the pipeline.
func Roles() []string { return []string{RoleAccept, RoleRoute, RoleSend, RoleTrack} }

// Node is one process that serves the records.
type Node struct {
	ID        string
	Roles     []string
	Version   string
	StartedAt time.Time
	Refuses   []string // leases that it could have by its roles, and cannot fill
	Beats     int64    // rises while it lives
}

// Lease is the right to do something that only one node may do at a time.
type Lease struct {
	Name     string
	Node     string // who has it; empty when it was released
	Epoch    int64  // rises whenever it is taken; 1 is its first holder ever
	Renewals int64  // rises with whatever is done to it
}
