package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"peal/api"
	"peal/internal/integration"
	"peal/internal/metrics"
	"peal/internal/outbound"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/accept"
	"peal/internal/provider"
)

// Accepter takes notifications in.
type Accepter interface {
	Accept(ctx context.Context, tenantID string, items []accept.Item) ([]accept.Result, error)
	DryRun(ctx context.Context, tenantID string, req *api.NotificationRequest) (*api.DryRun, error)
}

// Log is what became of notifications.
type Log interface {
	Notification(ctx context.Context, tenantID, id string) (*peal.Notification, []peal.Delivery, error)
	Expansion(ctx context.Context, tenantID, notificationID string) (*peal.Expansion, error)
	Cancel(ctx context.Context, tenantID, notificationID string) error
	Deliveries(ctx context.Context, tenantID string, f peal.LogFilter) ([]peal.Delivery, error)
	Delivery(ctx context.Context, tenantID, id string) (*peal.Delivery, []peal.Event, error)
}

// DeadLetters are deliveries that wait for a person.
type DeadLetters interface {
	DeadGroups(ctx context.Context, tenantID string) ([]peal.DeadGroup, error)
	DeadCounts(ctx context.Context, tenantID string, f peal.DeadFilter) (matched, expired int64, err error)
	Redrive(ctx context.Context, tenantID string, f peal.DeadFilter, limit int, pace peal.Pace) ([]pipeline.Job, error)
	Discard(ctx context.Context, tenantID string, f peal.DeadFilter, limit int) (int64, error)
	Resolve(ctx context.Context, tenantID, id string, as peal.Status, note string) (*pipeline.Job, error)
}

// Tenants are the installation's customers.
type Tenants interface {
	CreateTenant(ctx context.Context, t peal.Tenant) error
	UpdateTenant(ctx context.Context, id string, name *string, disabled *bool) error
	SetLimits(ctx context.Context, id string, l peal.TenantLimits) error
	Tenant(ctx context.Context, id string) (peal.Tenant, error)
	Tenants(ctx context.Context) ([]peal.Tenant, error)
}

// Queues tells when deliveries that wait are going to go out.
type Queues interface {
	Estimate(ctx context.Context, d *peal.Delivery) *api.QueueEstimate
}

// noQueues knows nothing.
type noQueues struct{}

func (noQueues) Estimate(context.Context, *peal.Delivery) *api.QueueEstimate { return nil }

// Readiness is why requests should go elsewhere, and what does not work though they need not.
type Readiness struct {
	Failing  []string
	Degraded []string
}

// Keys are the tenants' API keys.
type Keys interface {
	CreateKey(ctx context.Context, k peal.Key) error
	Key(ctx context.Context, id string) (peal.Key, error)
	Keys(ctx context.Context, tenantID string) ([]peal.Key, error)
	RevokeKey(ctx context.Context, tenantID, id string) error
}

// Users are the people that tenants want to reach.
type Users interface {
	PutUser(ctx context.Context, tenantID string, u peal.User) error
	User(ctx context.Context, tenantID, id string) (peal.User, error)
	DeleteUser(ctx context.Context, tenantID, id string) error
}

// Devices are the installations of users.
type Devices interface {
	PutDevice(ctx context.Context, d peal.Device) (peal.Device, error)
	UserDevices(ctx context.Context, tenantID, userID string) ([]peal.Device, error)
	Device(ctx context.Context, tenantID, id string) (peal.Device, error)
	DeleteDevice(ctx context.Context, tenantID, userID, id string) error
	DevicesSeen(ctx context.Context, tenantID string, ids []string, when time.Time) error
}

// UserKeys sign the tokens of users.
type UserKeys interface {
	CreateUserKey(ctx context.Context, k peal.UserKey) error
	UserKey(ctx context.Context, id string) (peal.UserKey, error)
	UserKeys(ctx context.Context, tenantID string) ([]peal.UserKey, error)
	RevokeUserKey(ctx context.Context, tenantID, id string) error
}

// Vault seals what users' tokens are signed with.
type Vault interface {
	Seal(plain []byte, belongs string) []byte
	Open(sealed []byte, belongs string) ([]byte, error)
}

// Evidence moves deliveries by what clients report.
type Evidence interface {
	Fold(ctx context.Context, evidence []peal.Evidence) (peal.Folded, error)
}

// Door takes webhooks in.
type Door interface {
	Known(kind, token string) bool
	Take(ctx context.Context, kind, token string, header http.Header, body []byte) error
	Handshake(kind, token string, query url.Values) (answer string, err error)
}

// Numbers is what providers say of sending numbers.
type Numbers interface {
	Number(ctx context.Context, integrationID string) (n peal.NumberState, ok bool, err error)
}

// Backuper writes a backup to w. Before the first byte it calls begin, with a context that ends when it gives up.
type Backuper func(ctx context.Context, w io.Writer, begin func(ctx context.Context)) error

// Jobs hands re-driven deliveries to send.
type Jobs interface {
	Publish(jobs []pipeline.Job)
}

// Config of a Server.
type Config struct {
	Accept       Accepter
	Log          *slog.Logger
	Deliveries   Log
	DeadLetters  DeadLetters
	Uncertain    Uncertain
	Explained    Explained
	Watches      Watches
	Heard        func(integrationID, state string) // told of sessions' states; nil: nobody is
	Tenants      Tenants
	Keys         Keys
	Users        Users
	Devices      Devices
	Templates    Templates // nil: there are no catalogues
	Inbound      Inbound
	Contacts     Contacts
	UserKeys     UserKeys
	Evidence     Evidence
	Vault        Vault
	Kinds        []provider.Kind // of providers, to check devices by
	Audit        Auditor
	Numbers      Numbers
	Callbacks    Callbacks
	Replays      Replays
	Replay       func() // called when a replay was asked for
	Integrations *integration.Service
	Endpoints    *outbound.Service
	Door         Door
	Jobs         Jobs
	Metrics      *metrics.Metrics
	Backup       Backuper
	Events       Events
	Waker        Waker        // default: streams of events look from time to time
	Quotas       Quotas       // default: nobody is limited
	Queues       Queues       // default: nothing is estimated
	Docs         http.Handler // the page that shows /openapi.json
	Client       http.Handler // the module for browsers, below /client/
	Ready        func(ctx context.Context) Readiness

	HealthOnly    bool // this process does not accept: it tells of its health, and nothing else
	OperatorKey   string
	PublicURL     func() string // base of webhook URLs
	MetricsOpen   bool
	MaxBody       int64 // bytes; default 1 MiB
	MaxBatch      int64 // bytes; default 8 MiB
	AcceptTimeout time.Duration
	MaxAccepts    int64 // requests being accepted at once, a batch counting as batchWeight; default 4096
	MaxHooks      int64 // webhooks being kept at once; default 1024
	Version       string
	Now           func() time.Time
}

// Server answers requests. Create it with New.
type Server struct {
	cfg    Config
	mux    *http.ServeMux
	api    huma.API
	auth   *authenticator
	bodies sync.Pool

	accepts, webhooks, uploads, tests *gate
	streams                           *streams
}

// setDefaults fills in what was left out.
func (cfg *Config) setDefaults() {
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 1 << 20
	}
	if cfg.MaxBatch == 0 {
		cfg.MaxBatch = 8 << 20
	}
	if cfg.AcceptTimeout == 0 {
		cfg.AcceptTimeout = 25 * time.Second
	}
	if cfg.MaxAccepts == 0 {
		cfg.MaxAccepts = 4096
	}
	if cfg.MaxHooks == 0 {
		cfg.MaxHooks = 1024
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Quotas == nil {
		cfg.Quotas = noQuotas{}
	}
	if cfg.Queues == nil {
		cfg.Queues = noQueues{}
	}
	if cfg.Waker == nil {
		cfg.Waker = noWaker{}
	}
	if cfg.Replay == nil {
		cfg.Replay = func() {}
	}
}

// New makes a Server with all routes.
func New(cfg Config) *Server {
	cfg.setDefaults()
	useProblems()
	s := &Server{
		cfg: cfg, mux: http.NewServeMux(), auth: newAuthenticator(cfg), accepts: newGate(cfg.MaxAccepts), webhooks: newGate(cfg.MaxHooks),
		uploads: newGate(maxUploads), tests: newGate(maxTests),
		streams: newStreams(),
	}
	s.health()
	if cfg.HealthOnly {
		return s
	}
	s.api = humago.New(s.mux, s.openAPI())
	s.docs()
	s.notifications()
	s.deliveries()
	s.explanations()
	s.uncertain()
	s.deadLetters()
	s.events()
	s.callbacks()
	s.integrations()
	s.sessions()
	s.endpoints()
	s.templates()
	s.mediaRoutes()
	s.users()
	s.inbound()
	s.contacts()
	s.devices()
	s.receipts()
	s.userKeys()
	s.keys()
	s.tenants()
	s.audit()
	s.backups()
	s.hooks()
	return s
}

func (s *Server) openAPI() huma.Config {
	c := huma.DefaultConfig("Peal", s.cfg.Version)
	c.CreateHooks = nil // no $schema in answers
	c.DocsPath, c.SchemasPath = "", ""
	c.RejectUnknownQueryParameters = true
	c.Info.Description = "Tell people things, and know what became of it. Every request of a tenant carries an API key: " +
		"`Authorization: Bearer peal_…`. Errors are `application/problem+json`; decide by their `code`."
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[problem](), reflect.TypeFor[api.Problem]())
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key":  {Type: "http", Scheme: "bearer", Description: "An API key of the tenant; or the operator's key, with the header " + api.TenantHeader + " that names the tenant which the request is for"},
		"user": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "A user token, which the tenant's backend signs for one of its users: for their devices and receipts alone"},
	}
	for _, t := range []string{"Notifications", "Deliveries", "Dead letters", "Webhooks", "Inbound", "Events", "Endpoints", "Users", "Devices", "Contacts", "Integrations", "API keys", "User keys", "Tenants (operator)", "Audit (operator)"} {
		c.Tags = append(c.Tags, &huma.Tag{Name: t})
	}
	c.Security = []map[string][]string{{"key": {}}}
	c.Extensions = map[string]any{"x-error-codes": api.Codes()}
	return c
}

// ServeHTTP gives the request an id, keeps a panic from taking the process along, and answers what no route takes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = withRequest(r)
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint,err113 // it is that very value
				panic(p)
			}
			s.cfg.Log.Error("request panicked", "request_id", requestID(r.Context()), "route", r.Pattern, "panic", peal.PanicText(p), "stack", string(debug.Stack()))
			s.writeProblem(w, r, newProblem(api.CodeInternal, ""))
		}
	}()
	if share(w, r) {
		return
	}
	h, pattern := s.mux.Handler(r)
	if pattern == "" {
		s.noRoute(w, r, h)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		if _, err := s.who(r.Context()); err != nil { // before a stranger's body is read, or told what is wrong with it
			if r.ContentLength != 0 {
				w.Header().Set("Connection", "close") // or net/http would read the body before it answers
			}
			s.writeProblem(w, r, err)
			return
		}
		if !isUpload(r) {
			r.Header["Content-Type"] = jsonType // every other body is JSON; a curl -d that calls it a form is forgiven
		}
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	s.mux.ServeHTTP(w, r)
}

// noRoute words what ServeMux found wrong: no such path, or not with this method.
func (s *Server) noRoute(w http.ResponseWriter, r *http.Request, h http.Handler) {
	probe := &headerOnly{header: http.Header{}}
	h.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.header.Get("Allow"))
		s.writeProblem(w, r, newProblem(api.CodeMethodNotAllowed, "it takes "+probe.header.Get("Allow")))
		return
	}
	if s.cfg.HealthOnly {
		s.writeProblem(w, r, newProblem(api.CodeNotFound, "this node does not have the role accept: ask one that has it; here are /healthz, /readyz and /metrics"))
		return
	}
	s.writeProblem(w, r, newProblem(api.CodeNotFound, "there is no such path; see /docs"))
}

// headerOnly takes a handler's status and headers, and no body.
type headerOnly struct {
	header http.Header
	status int
}

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) WriteHeader(status int)      { h.status = status }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }

// read reads a body of at most limit bytes. The bytes are good until done is called.
func (s *Server) read(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, done func(), err error) {
	buf, ok := s.bodies.Get().(*[]byte)
	if !ok {
		b := make([]byte, 0, 4096)
		buf = &b
	}
	done = func() {
		if cap(*buf) <= 64<<10 { // larger ones are rare; let them go
			s.bodies.Put(buf)
		}
	}
	*buf, err = readAll((*buf)[:0], http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		done()
		return nil, nil, bodyError(err, limit)
	}
	return *buf, done, nil
}

// readAll is io.ReadAll into a buffer that is used again.
func readAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF { // readers return it bare
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
