package lease

import (
	"hash/fnv"
	"slices"

	"peal/internal/peal"
)

// due gives those of the leases that this node is to try for, on its terms.
func (k *Keeper) due(names []string) (terms []peal.Lease) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range names {
		w := k.wants[name]
		if w == nil {
			continue
		}
		// One that joined just now cannot take a stale lease yet: until it can, another has it.
		if k.mine(name, w.role) || (k.watch.stale(name) && k.favored(name, w.role, k.roll.watched)) {
			terms = append(terms, k.watch.terms(name))
		}
	}
	return terms
}

// mine tells whether this node is the one that should have a lease: of the living with the role, who do not refuse it, the
// one that the hash of both names favours.
func (k *Keeper) mine(name, role string) bool {
	return k.favored(name, role, func(string) bool { return true })
}

// favored is mine among this node and those others that count.
func (k *Keeper) favored(name, role string, counts func(node string) bool) bool {
	if k.leaving || k.unable[role] || k.refused[name] {
		return false
	}
	best, most := k.cfg.Node.ID, weight(k.cfg.Node.ID, name)
	for i := range k.nodes {
		n := &k.nodes[i]
		if n.ID == k.cfg.Node.ID || !slices.Contains(n.Roles, role) || slices.Contains(n.Refuses, name) || !counts(n.ID) {
			continue
		}
		if w := weight(n.ID, name); w > most || (w == most && n.ID > best) {
			best, most = n.ID, w
		}
	}
	return best == k.cfg.Node.ID
}

func weight(node, name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(node + "\x00" + name)) // a hash never fails
	// FNV's high bits hardly see the last bytes; this spreads them (the finalizer of MurmurHash3).
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
