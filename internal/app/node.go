package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"peal/internal/lease"
	"peal/internal/outbound"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/send"
)

// soleNode is the name of the one node that a data folder has: the folder's lock sees to that. So what it owned before a
// restart is its own at once.
const soleNode = "local"

// thisNode is this process as the others know it. Where there may be others each start has a name of its own: two that
// shared one would both believe that they are the owner.
func thisNode(roles []string, alone bool) peal.Node {
	n := peal.Node{ID: soleNode, Roles: roles, Version: Version, StartedAt: time.Now()}
	if !alone {
		host, err := os.Hostname()
		if err != nil {
			host = "node"
		}
		id := make([]byte, 4)
		rand.Read(id) // never fails since Go 1.24: it stops the program instead
		n.ID = host + "-" + hex.EncodeToString(id)
	}
	return n
}

// ownBroker is what a node with an embedded broker adds to its roles: it cannot share its jobs with others.
const ownBroker = "broker"

// joinTime is how long a starting node waits for one that it cannot live beside to be heard of no more: it may have died.
const joinTime = 15 * time.Second

// join shows the other nodes of a shared database that this one is there. Nodes share one broker; where this node or
// another has its own, only one may be.
func (a *App) join(ctx context.Context) error {
	if a.cfg.DatabaseURL == "" {
		return nil // the folder's lock has seen to it
	}
	embedded := a.cfg.NatsURL == ""
	first := a.node
	first.Roles = nil // none yet: what this node is to own it cannot do before it runs
	if embedded {
		first.Roles = []string{ownBroker}
		a.node.Roles = append(slices.Clone(a.node.Roles), ownBroker)
	}
	a.joined = true
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	roll := lease.NewRoll(lease.TTL)
	for {
		nodes, err := a.store.Beat(ctx, first)
		if err != nil {
			return fmt.Errorf("join the other nodes: %w", err)
		}
		nodes = roll.Living(nodes)
		other := slices.IndexFunc(nodes, func(n peal.Node) bool {
			return n.ID != a.node.ID && (embedded || slices.Contains(n.Roles, ownBroker))
		})
		if other < 0 {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			err := fmt.Errorf("the node %s serves this database, too, and one of the two has an embedded broker: nodes that share a database "+
				"share a NATS cluster; give each of them PEAL_NATS_URL, or stop the other", nodes[other].ID)
			return err
		}
	}
}

// has tells whether this node has the role.
func (a *App) has(role string) bool { return slices.Contains(a.node.Roles, role) }

// own waits until this node is the owner of an integration's queue.
func (a *App) own(ctx context.Context, integrationID string) (send.Lease, error) {
	return a.leases.Hold(ctx, queueOf(integrationID), peal.RoleSend)
}

// refuse tells the other nodes whether this one can be the owner of an integration's queue.
func (a *App) refuse(integrationID string, refuse bool) {
	a.leases.Refuse(queueOf(integrationID), refuse)
}

// call waits until this node is to call an endpoint.
func (a *App) call(ctx context.Context, endpointID string) (outbound.Lease, error) {
	return a.leases.Hold(ctx, "endpoint:"+endpointID, peal.RoleTrack)
}

func queueOf(integrationID string) string { return "integration:" + integrationID }

// stage is something that runs until it is told to stop.
type stage interface {
	Run(ctx context.Context) error
}

// alone is a stage that only one node may run at a time.
type alone struct {
	stage
	leases *lease.Keeper
	role   string
	name   string
}

// Run runs the stage while this node has its lease.
func (a alone) Run(ctx context.Context) error {
	return a.leases.Alone(ctx, "task:"+a.name, a.role, a.stage.Run)
}

// stagesOf are what this node's roles ask for.
func (a *App) stagesOf() []stage {
	all := []stage{a.directory, a.stream, a.catalogue, a.sightings}
	if a.has(peal.RoleAccept) {
		all = append(all, a.quotas, a.queues, a.replays)
	}
	if a.has(peal.RoleSend) {
		all = append(all, a.send)
	}
	if a.has(peal.RoleRoute) {
		all = append(all, alone{a.expander, a.leases, peal.RoleRoute, "expand"})
	}
	if a.has(peal.RoleTrack) {
		all = append(all, a.folder, a.outbound)
		for name, s := range map[string]stage{
			"ledger": a.ledger, "checker": a.checker, "retention": a.retainer, "devices": a.unseen, "audit": a.auditor, "endpoints": a.told,
			"templates": a.catalogue.Syncer(), "numbers": a.numbers, "archive": a.archivist, "replay": a.replayer, "watch": a.watcher,
		} {
			all = append(all, alone{s, a.leases, peal.RoleTrack, name})
		}
	}
	return all
}

// brokerPatience is how long a node that cannot reach the broker keeps the right to send, which others could use.
const brokerPatience = 10 * time.Second

// watchBroker lets others send while this node cannot reach the broker: ready tells whether it can, able whether it may send.
func watchBroker(ctx context.Context, ready func() error, able func(bool)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	away := time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if ready() == nil {
			away = time.Time{}
		} else if away.IsZero() {
			away = time.Now()
		}
		able(away.IsZero() || time.Since(away) < brokerPatience)
	}
}

// passEvery is how often at most the other nodes are told that a tenant's event log has grown.
const passEvery = 10 * time.Millisecond

// leaveTime bounds what a stopping node takes to tell the others.
const leaveTime = 2 * time.Second

// Run runs this node's stages until ctx ends; then it lets them finish what they have begun, and returns. Its leases it
// keeps until then: while a call is in the air nobody else may send over the same integration.
func (a *App) Run(ctx context.Context) error {
	a.joined = false // it says itself that it leaves
	kctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan error, 1)
	go func() { kept <- a.leases.Run(kctx) }()
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range a.stagesOf() {
		g.Go(func() error { return s.Run(ctx) })
	}
	g.Go(func() error {
		a.bell.Pass(ctx, passEvery, a.stream.Grown)
		return nil
	})
	g.Go(func() error {
		a.handOver(ctx)
		return nil
	})
	g.Go(func() error {
		watchBroker(ctx, a.stream.Ready, func(able bool) { a.leases.Able(peal.RoleSend, able) })
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		lctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
		defer cancel()
		if err := a.leases.Leave(lctx); err != nil {
			a.log.Warn("the other nodes were not told that this one leaves; they find out", "error", err)
		}
		return nil
	})
	err := g.Wait()
	stop()
	return errors.Join(err, <-kept)
}

// dueRoom is how many transactions may have made deliveries due whose jobs are not published yet.
const dueRoom = 256

// handOver publishes the jobs of deliveries that fall due before their time, until ctx ends: the writer, which tells of
// them, must not wait for the broker.
func (a *App) handOver(ctx context.Context) {
	due := make(chan []pipeline.Job, dueRoom)
	a.store.OnDue(func(jobs []pipeline.Job) {
		select {
		case due <- jobs:
		default:
			a.wake() // the ledger finds them
		}
	})
	for {
		select {
		case <-ctx.Done():
			return
		case jobs := <-due:
			a.stream.Publish(jobs)
		}
	}
}
