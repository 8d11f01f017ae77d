package lease

// Weight is how much a node is favoured for a lease.
func Weight(node, name string) uint64 { return weight(node, name) }
