package lease

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"peal/internal/peal"
)

// TTL is how long a lease outlives its last renewal, and a node its last sign of life.
const TTL = 10 * time.Second

const (
	beats  = 4  // in the life of a lease that is not renewed
	margin = 10 // a holder counts its lease as over a tenth early: clocks may run differently fast
	forget = 6  // lives after which the row of a node that is silent is removed
)

// Records are where leases are kept.
type Records interface {
	Renew(ctx context.Context, node string, names []string) ([]string, error)
	Leases(ctx context.Context) ([]peal.Lease, error)
	Take(ctx context.Context, node string, seen []peal.Lease) ([]peal.Lease, error)
	Release(ctx context.Context, node string, names []string) error
	Beat(ctx context.Context, n peal.Node) ([]peal.Node, error)
	Leave(ctx context.Context, node string) error
}

// Config of a Keeper.
type Config struct {
	Records Records
	Node    peal.Node
	TTL     time.Duration // how long a lease outlives its last renewal; default TTL
	Log     *slog.Logger
}

// Keeper takes and renews this node's leases. Create it with New, then Run it.
type Keeper struct {
	cfg  Config
	wake chan struct{}

	rounds sync.Mutex // over what is written: a renewal that was asked for must not undo a release
	roll   *Roll      // these two are of the rounds
	watch  watch

	mu      sync.Mutex
	unable  map[string]bool // roles that this node cannot fill now
	refused map[string]bool // leases that it cannot fill
	wants   map[string]*want
	held    map[string]*Lease
	nodes   []peal.Node
	leaving bool
}

// want is somebody who waits for a lease.
type want struct {
	role  string
	given chan *Lease
}

// New makes a Keeper.
func New(cfg Config) *Keeper {
	cfg.TTL = cmp.Or(cfg.TTL, TTL)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{
		cfg: cfg, wake: make(chan struct{}, 1), roll: NewRoll(cfg.TTL), watch: watch{ttl: cfg.TTL}, unable: map[string]bool{},
		refused: map[string]bool{}, wants: map[string]*want{}, held: map[string]*Lease{}, nodes: []peal.Node{cfg.Node},
	}
}

// Run keeps the leases until ctx ends. It is to outlast everybody who holds one; see Leave.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(k.cfg.TTL / beats)
	defer tick.Stop()
	soon := time.NewTimer(0)
	defer soon.Stop()
	for {
		k.round(ctx)
		soon.Reset(k.watch.next(k.waiting(), k.cfg.TTL))
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-soon.C:
		case <-k.wake:
		}
	}
}

// waiting gives the leases that somebody here waits for.
func (k *Keeper) waiting() (names []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name := range k.wants {
		if k.held[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Leave makes this node take no more and tells the others that it goes. What it holds it keeps until that is released.
func (k *Keeper) Leave(ctx context.Context) error {
	k.mu.Lock()
	k.leaving = true
	k.mu.Unlock()
	k.rounds.Lock() // a beat that is on its way would bring the node back
	defer k.rounds.Unlock()
	return k.cfg.Records.Leave(ctx, k.cfg.Node.ID)
}

// Able says whether this node can fill a role that it has: without a broker it cannot send. What it holds for a role that
// it cannot fill goes to others.
func (k *Keeper) Able(role string, able bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if able == !k.unable[role] {
		return
	}
	if able {
		delete(k.unable, role)
	} else {
		k.unable[role] = true
	}
	k.rouse()
}

// Refuse says whether this node cannot fill a lease that it could have by its roles: then another is to have it, and one
// that it holds it gives up. The others read it in the node's record.
func (k *Keeper) Refuse(name string, refuse bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if refuse == k.refused[name] {
		return
	}
	if refuse {
		k.refused[name] = true
	} else {
		delete(k.refused, name)
	}
	k.rouse()
}

// Count tells how many living nodes have the role, this one included if it has it; at least 1.
func (k *Keeper) Count(role string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for i := range k.nodes {
		if slices.Contains(k.nodes[i].Roles, role) {
			n++
		}
	}
	return max(1, n)
}

// Hold waits until this node is to have the lease and has it. The role says which nodes may be meant. Only one may wait
// for a name, or hold it. It fails only when ctx ends.
func (k *Keeper) Hold(ctx context.Context, name, role string) (*Lease, error) {
	w := &want{role: role, given: make(chan *Lease, 1)}
	k.mu.Lock()
	k.wants[name] = w
	k.mu.Unlock()
	k.rouse()
	select {
	case l := <-w.given:
		return l, nil
	case <-ctx.Done():
	}
	k.mu.Lock()
	delete(k.wants, name)
	k.mu.Unlock()
	select {
	case l := <-w.given: // given just now
		l.Release()
	default:
	}
	return nil, ctx.Err()
}

// Alone runs f while this node has the lease, again and again, until ctx ends or f fails. The context that f is given
// ends with the lease.
func (k *Keeper) Alone(ctx context.Context, name, role string, f func(ctx context.Context) error) error {
	for {
		l, err := k.Hold(ctx, name, role)
		if err != nil {
			return nil //nolint:nilerr // it was told to stop
		}
		err = f(l.Context(ctx))
		l.Release()
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
}

func (k *Keeper) rouse() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// round is one beat: renew what this node holds and let go of what is another's, show that it lives, take what is its own.
func (k *Keeper) round(ctx context.Context) {
	k.rounds.Lock()
	defer k.rounds.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.cfg.TTL/2)
	defer cancel()
	if err := k.renew(ctx); err != nil {
		k.cfg.Log.Warn("leases not renewed; they run out unless the next try succeeds", "error", err)
		return
	}
	if err := k.beat(ctx); err != nil {
		k.cfg.Log.Warn("node not heard of by the others", "error", err)
		return
	}
	if err := k.take(ctx); err != nil {
		k.cfg.Log.Warn("leases not taken", "error", err)
	}
}

func (k *Keeper) beat(ctx context.Context) error {
	k.mu.Lock()
	leaving, node := k.leaving, k.cfg.Node
	node.Roles = slices.DeleteFunc(slices.Clone(node.Roles), func(role string) bool { return k.unable[role] })
	node.Refuses = slices.Sorted(maps.Keys(k.refused))
	k.mu.Unlock()
	if leaving {
		return nil
	}
	nodes, err := k.cfg.Records.Beat(ctx, node)
	if err != nil {
		return err
	}
	living := k.roll.Living(nodes)
	k.mu.Lock()
	k.nodes = living
	k.mu.Unlock()
	for _, id := range k.roll.forgettable(forget * k.cfg.TTL) {
		if err := k.cfg.Records.Leave(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) renew(ctx context.Context) error {
	k.mu.Lock()
	names := make([]string, 0, len(k.held))
	for name, l := range k.held {
		if !l.lost { // else its holder has still to let go of it
			names = append(names, name)
		}
	}
	k.mu.Unlock()
	if len(names) == 0 {
		return nil
	}
	asked := time.Now()
	still, err := k.cfg.Records.Renew(ctx, k.cfg.Node.ID, names)
	if err != nil {
		return err
	}
	kept := make(map[string]bool, len(still))
	for _, name := range still {
		kept[name] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range names {
		l := k.held[name]
		switch {
		case l == nil: // released meanwhile
		case !kept[name]:
			k.cfg.Log.Warn("lease lost to another node", "lease", name)
			l.lose()
		default:
			l.extend(asked)
			if !k.mine(name, l.role) {
				l.end() // another node is to have it
			}
		}
	}
	return nil
}

func (k *Keeper) take(ctx context.Context) error {
	waiting := k.waiting()
	if len(waiting) == 0 {
		return nil
	}
	rows, err := k.cfg.Records.Leases(ctx) // those that are not for this node, too: whose they are may change
	if err != nil {
		return err
	}
	k.watch.see(rows)
	terms := k.due(waiting)
	if len(terms) == 0 {
		return nil
	}
	asked := time.Now()
	taken, err := k.cfg.Records.Take(ctx, k.cfg.Node.ID, terms)
	if err != nil {
		return err
	}
	unwanted := k.give(taken, asked)
	if len(unwanted) > 0 {
		return k.cfg.Records.Release(ctx, k.cfg.Node.ID, unwanted)
	}
	return nil
}

// give hands out leases that were asked for at a time, and tells for which nobody waits.
func (k *Keeper) give(taken []peal.Lease, asked time.Time) (unwanted []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, row := range taken {
		w := k.wants[row.Name]
		l := &Lease{Epoch: row.Epoch, name: row.Name, keeper: k, done: make(chan struct{})}
		l.extend(asked)
		if w == nil { // nobody waits any more
			unwanted = append(unwanted, row.Name)
			continue
		}
		l.role = w.role
		delete(k.wants, row.Name)
		k.held[row.Name] = l
		w.given <- l
	}
	return unwanted
}
