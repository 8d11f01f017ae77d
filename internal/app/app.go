package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"peal/internal/bell"
	"peal/internal/catalogue"
	"peal/internal/clock"
	"peal/internal/config"
	"peal/internal/httpapi"
	"peal/internal/integration"
	"peal/internal/lease"
	"peal/internal/metrics"
	"peal/internal/netguard"
	"peal/internal/outbound"
	"peal/internal/peal"
	"peal/internal/pipeline/accept"
	"peal/internal/pipeline/audit"
	"peal/internal/pipeline/ledger"
	"peal/internal/pipeline/route"
	"peal/internal/pipeline/send"
	"peal/internal/pipeline/track"
	"peal/internal/provider"
	"peal/internal/provider/all"
	"peal/internal/store"
	"peal/internal/stream"
	"peal/internal/vault"
	"peal/web"
)

// Version is what this binary calls itself.
const Version = "0.1.0"

// App is a whole Peal in one process. Create it with Open, then Run it, then Close it.
type App struct {
	cfg       config.Config
	log       *slog.Logger
	metrics   *metrics.Metrics
	bell      *bell.Bell // rings when a tenant's event log has grown
	clock     *clock.Clock
	node      peal.Node
	leases    *lease.Keeper
	joined    bool // the other nodes know of this one, and nothing runs yet
	lock      *os.File
	store     *store.Store
	stream    *stream.Stream
	directory *integration.Directory
	service   *integration.Service
	guard     *netguard.Guard
	transport *http.Transport
	tokens    *integration.Tokens
	api       *httpapi.Server
	ledger    *ledger.Ledger
	auditor   *audit.Auditor
	send      *send.Stage
	folder    *track.Folder
	checker   *track.Checker
	retainer  *track.Retainer
	archivist *track.Archivist
	replayer  *track.Replayer
	unseen    *track.Unseen
	numbers   *track.NumberWatch
	outbound  *outbound.Stage
	told      *outbound.Retainer
	expander  *route.Expander
	catalogue *catalogue.Catalogue
	quotas    *accept.Quotas
	queues    *accept.Queues
	replays   *accept.Replays
	sightings *track.Sightings
	watcher   *track.Watcher
	bound     atomic.Pointer[string] // the address that is listened on
	draining  atomic.Bool
	waker     atomic.Pointer[ledger.Ledger]

	backup     sync.Mutex // held while one is made
	stopBackup atomic.Pointer[context.CancelFunc]
}

// Open opens the data folder and builds everything on it; nothing runs yet. Errors say what is in the way.
func Open(ctx context.Context, cfg config.Config, log *slog.Logger) (_ *App, err error) {
	a := &App{cfg: cfg, log: log, metrics: metrics.New(), bell: bell.New(), clock: clock.New(clock.Config{Log: log})}
	a.metrics.WatchClock(a.clock.Off)
	a.node = thisNode(cfg.NodeRoles(), cfg.DatabaseURL == "")
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if err := a.openData(ctx); err != nil {
		return nil, err
	}
	key, err := config.ParseMasterKey(cfg.MasterKey)
	if err != nil {
		return nil, fmt.Errorf("PEAL_MASTER_KEY: %w", err)
	}
	v, err := vault.New(key[:])
	if err != nil {
		return nil, err
	}
	networks, err := cfg.PrivateNetworks()
	if err != nil {
		return nil, err
	}
	a.guard = netguard.New(networks...)
	a.transport = a.guard.Transport(netguard.Config{})
	a.tokens = &integration.Tokens{Records: a.store, Vault: v}
	a.directory = integration.NewDirectory(a.store, v, all.Kinds(), log)
	a.service = integration.NewService(a.directory, a.store, a.clock.Now)
	a.service.HandTo(a.stream)
	a.service.KeepMediaIn(a.store)
	a.directory.OnWrite(a.stream.Changed)
	a.stream.OnChange(func(ctx context.Context) {
		a.outbound.Reread()
		if err := a.directory.Reload(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("integrations not read; going on with what is known", "error", err)
		}
		if err := a.catalogue.Reload(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("catalogues of templates not read; going on with what is known", "error", err)
		}
	})
	a.leases = lease.New(lease.Config{Records: a.store, Node: a.node, Log: log})
	if err := a.directory.Reload(ctx); err != nil {
		return nil, err
	}
	after, err := unseenAfter(&cfg)
	if err != nil {
		return nil, err
	}
	a.stages(v, after)
	return a, a.catalogue.Reload(ctx)
}

// openData locks the data folder and opens the records and the broker in it.
func (a *App) openData(ctx context.Context) (err error) {
	if a.cfg.DatabaseURL == "" || a.cfg.NatsURL == "" { // else there is nothing to keep here
		if err := os.MkdirAll(a.cfg.Data, 0o700); err != nil {
			return fmt.Errorf("make the data folder: %w", err)
		}
		if a.lock, err = lockFolder(a.cfg.Data); err != nil {
			return err
		}
		if err := notMoved(a.cfg.Data); err != nil {
			return err
		}
		if err := os.RemoveAll(filepath.Join(a.cfg.Data, backupFolder)); err != nil {
			return fmt.Errorf("remove a backup that was not finished: %w", err)
		}
	}
	kept := records(&a.cfg, a.node.ID, a.log, a.clock.Now)
	kept.Told = a.bell.Ring
	a.store, err = store.Open(ctx, kept)
	if err != nil {
		return fmt.Errorf("open the records: %w", err)
	}
	if err := a.join(ctx); err != nil {
		return err
	}
	if a.stream, err = a.openBroker(ctx); err != nil {
		return fmt.Errorf("open the broker: %w", err)
	}
	return nil
}

func (a *App) openBroker(ctx context.Context) (*stream.Stream, error) {
	urls, err := a.cfg.NatsURLs()
	if err != nil {
		return nil, fmt.Errorf("PEAL_NATS_URL: %w", err)
	}
	return stream.Open(ctx, stream.Config{
		Dir: filepath.Join(a.cfg.Data, brokerFolder), Node: a.node.ID, Log: a.log, Lost: a.wake, Now: a.clock.Now,
		External: stream.External{
			URLs: urls, Token: string(a.cfg.NatsToken), CredsFile: a.cfg.NatsCredsFile, CAFile: a.cfg.NatsCAFile,
			CertFile: a.cfg.NatsCertFile, KeyFile: a.cfg.NatsKeyFile, Replicas: a.cfg.NatsStreams(),
		},
	})
}

// wake has the ledger look soon, if it is there yet: the broker is opened before it.
func (a *App) wake() {
	if l := a.waker.Load(); l != nil {
		l.Wake()
	}
}

// records says where they are kept.
func records(cfg *config.Config, node string, log *slog.Logger, now func() time.Time) store.Config {
	return store.Config{
		Path: filepath.Join(cfg.Data, recordsFile), URL: string(cfg.DatabaseURL), Queue: cfg.AcceptQueue,
		NodeID: node, Log: log, Now: now,
	}
}

// unseenAfter is after how long a device that is not heard of is retired.
func unseenAfter(cfg *config.Config) (map[peal.DeviceKind]time.Duration, error) {
	all, err := cfg.UnseenAfter()
	if err != nil {
		return nil, fmt.Errorf("PEAL_DEVICE_UNSEEN: %w", err)
	}
	after := map[peal.DeviceKind]time.Duration{}
	for _, kind := range peal.DeviceKinds() {
		after[kind] = all[string(kind)]
	}
	return after, nil
}

// stages builds the pipeline and its doors.
func (a *App) stages(v *vault.Vault, after map[peal.DeviceKind]time.Duration) {
	a.ledger = ledger.New(ledger.Config{
		Records: a.store, Jobs: a.stream, Integrations: a.directory, Metrics: a.metrics, Log: a.log, Every: a.cfg.LedgerEvery,
		Now: a.clock.Now,
	})
	a.waker.Store(a.ledger)
	a.auditor = audit.New(audit.Config{
		Records: a.store, Retained: a.store, Jobs: a.ledger, Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
	})
	a.service.CallWith(a.env())
	templates := catalogue.Config{
		Records: a.store, Integrations: a.directory, Env: a.env(), Tell: a.stream.Changed, Notices: a.store,
		Log: a.log, Now: a.clock.Now,
	}
	if a.has(peal.RoleSend) {
		templates.Jobs = a.stream
	}
	a.catalogue = catalogue.New(templates)
	a.send = send.New(send.Config{
		Own: a.own, Refuse: a.refuse, Integrations: a.directory, Records: a.store, Devices: a.store, People: a.store, Queues: a.stream, Env: a.env(),
		Templates: a.catalogue, Metrics: a.metrics, Log: a.log,
		Now: a.clock.Now,
	})
	a.sightings = track.NewSightings(a.store, a.log, a.clock.Now)
	a.watcher = &track.Watcher{
		Integrations: a.directory, Records: a.store, Env: a.env(), Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
	}
	a.folder = &track.Folder{
		Integrations: a.directory, Records: a.store, People: a.store, Jobs: a.stream, Callbacks: a.stream, Held: a.store, Archive: a.stream, Sealer: v, Metrics: a.metrics, Log: a.log,
		Templates: a.catalogue, Numbers: a.store, Sightings: a.sightings, Now: a.clock.Now,
	}
	a.checker = track.NewChecker(track.CheckerConfig{
		Integrations: a.directory, Checks: a.store, Lost: a.store, Jobs: a.stream, Folder: a.folder, Env: a.env(),
		Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
	})
	a.folder.Parked = a.checker.Urge
	a.retainer = &track.Retainer{Records: a.store, Retention: a.cfg.Retention, Events: a.cfg.EventRetention, Log: a.log, Now: a.clock.Now}
	a.numbers = &track.NumberWatch{
		Integrations: a.directory, Records: a.store, Env: a.env(), Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
	}
	a.archive()
	a.unseen = &track.Unseen{Records: a.store, After: after, Log: a.log, Now: a.clock.Now}
	a.outbound = outbound.New(outbound.Config{
		Own: a.call, Records: a.store, Events: a.store, Watch: a.bell.Watch, Poll: pollEvents, Vault: v, Guard: a.guard, Metrics: a.metrics, Log: a.log, Version: Version, Now: a.clock.Now,
	})
	a.told = &outbound.Retainer{Records: a.store, Log: a.log, Now: a.clock.Now}
	planner := &route.Planner{Integrations: a.directory, Users: a.store, Devices: a.store, Templates: a.catalogue, People: a.store}
	a.expander = route.NewExpander(route.ExpanderConfig{
		Planner: planner, Records: a.store, Usage: a.store, Queues: a.stream, Reload: a.directory.Reload, Queued: a.cfg.TenantMaxQueued,
		Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
	})
	a.stream.OnExpand(a.expander.Wake)
	a.stream.OnGrown(a.bell.Heard)
	accepting := func() int { return a.leases.Count(peal.RoleAccept) }
	a.quotas = accept.NewQuotas(accept.QuotasConfig{
		Usage: a.store, Nodes: accepting, Rate: a.cfg.TenantRate, Queued: a.cfg.TenantMaxQueued, Log: a.log,
	})
	a.replays = accept.NewReplays(a.store, a.log)
	a.queues = accept.NewQueues(accept.QueuesConfig{
		Waiting: a.stream, Accounts: a.directory, Nodes: accepting, Log: a.log, Now: a.clock.Now,
	})
	a.api = httpapi.New(httpapi.Config{
		Accept: accept.New(accept.Config{
			Planner: planner, Records: a.store, Jobs: a.stream, Metrics: a.metrics, Quotas: a.quotas, Recall: a.store, Queues: a.queues, Replays: a.replays,
			Expand: func() { a.expander.Wake(); a.stream.Expand() }, Log: a.log, Now: a.clock.Now,
		}),
		Log: a.log, Deliveries: a.store, DeadLetters: a.store, Uncertain: a.store, Explained: a.store, Watches: a.store, Heard: a.sightings.Session, Tenants: a.store, Keys: a.store, Users: a.store,
		Devices: a.store, Inbound: a.store, Contacts: a.store, Templates: a.catalogue, UserKeys: a.store, Evidence: a.store, Vault: v, Kinds: all.Kinds(),
		Audit: a.auditor, Backup: a.Backup, Replays: a.store, Replay: a.replayer.Wake,
		Callbacks:    &track.Reader{Folder: a.folder, Library: a.stream, Unreadables: a.store},
		Integrations: a.service, Endpoints: a.endpoints(v), Jobs: a.stream, Metrics: a.metrics, Events: a.store, Waker: a.bell, Docs: web.DocsHandler(), Client: web.Client(), Ready: a.ready,
		Numbers: a.store,
		Quotas:  a.quotas, Queues: a.queues, Now: a.clock.Now,
		Door: &track.Door{
			Integrations: a.directory, Keeper: a.stream, Holder: a.store, Sealer: v, Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
			Sightings: a.sightings,
		},
		HealthOnly: !a.has(peal.RoleAccept), OperatorKey: string(a.cfg.OperatorKey), PublicURL: a.publicURL, MetricsOpen: a.cfg.MetricsOpen,
		MaxBody: a.cfg.MaxBodyBytes, MaxBatch: a.cfg.MaxBatchBytes, MaxAccepts: int64(a.cfg.AcceptQueue), Version: Version,
	})
}

// pollEvents is how often an endpoint looks whether its tenant's log has grown, should a ring of the bell be lost.
const pollEvents = 5 * time.Second

// endpoints are the tenants' own, as the API keeps them.
func (a *App) endpoints(v *vault.Vault) *outbound.Service {
	return outbound.NewService(outbound.ServiceConfig{
		Register: a.store, Listed: a.store, Switch: a.store, Replays: a.store, Log: a.store, Vault: v, Guard: a.guard, Stage: a.outbound,
		Changed: func() { a.outbound.Reread(); a.stream.Changed() }, Now: a.clock.Now,
	})
}

// Handler answers the HTTP API.
func (a *App) Handler() http.Handler { return a.api }

func (a *App) publicURL() string {
	bound := ""
	if b := a.bound.Load(); b != nil {
		bound = *b
	}
	return a.cfg.ExternalURL(bound)
}

// SetBound tells the address that the API is really served on, from which webhook URLs are made where no public URL is
// configured.
func (a *App) SetBound(addr string) { a.bound.Store(&addr) }

// Drain makes the process not ready, so that callers go elsewhere, and gives up a backup that is being made.
func (a *App) Drain() {
	a.draining.Store(true)
	if stop := a.stopBackup.Load(); stop != nil {
		(*stop)()
	}
}

// ready tells whether requests should come here. Without the broker they are accepted all the same, and webhooks taken:
// the records keep both. The body of /readyz is for everybody, so the reasons go to the log.
func (a *App) ready(ctx context.Context) (r httpapi.Readiness) {
	if a.draining.Load() {
		r.Failing = append(r.Failing, "draining")
	}
	if err := a.store.Ping(ctx); err != nil {
		r.Failing = append(r.Failing, "database")
		a.log.Warn("the records do not take writes", "error", err)
	}
	if err := a.stream.Ready(); err != nil {
		r.Degraded = append(r.Degraded, "broker")
		a.log.Warn("the broker is away", "error", err)
	}
	return r
}

// Close closes broker and records. Call it when Run has returned, or to give up on it.
func (a *App) Close() error {
	var errs []error
	if a.joined {
		ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
		defer cancel()
		errs = append(errs, a.store.Leave(ctx, a.node.ID))
	}
	if a.stream != nil {
		a.stream.Close()
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.transport != nil {
		a.transport.CloseIdleConnections()
	}
	if a.outbound != nil {
		a.outbound.Close()
	}
	if a.lock != nil {
		errs = append(errs, a.lock.Close())
	}
	return errors.Join(errs...)
}

// env is what the providers' clients have of this process.
func (a *App) env() provider.Env {
	return provider.Env{Transport: a.transport, Dial: a.guard.Dialer(dialTimeout).DialContext, Tokens: a.tokens}
}

// dialTimeout is how long resolving and connecting may take for clients that keep connections of their own.
const dialTimeout = 5 * time.Second
