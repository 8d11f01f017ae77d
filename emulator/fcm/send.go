package fcm

import (
	"errors"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serveSend is POST /v1/projects/{project}/messages:send.
func (s *Server) serveSend(req *request) reply {
	s.arrive(req)
	f := s.pickFault(req)
	who := about{project: req.project}
	if f != nil {
		who.address = req.target()
	}
	rep, ended := s.faultBefore(req, f, who)
	if ended {
		s.called(who.address)
	} else {
		rep = s.send(req)
		rep = s.faultAfter(req, f, rep, who)
	}
	if !s.wait(req, time.Duration(s.latency.Load())) {
		if rep.status == http.StatusOK && !rep.drop {
			s.tally.lost.Add(1)
		}
		rep.drop = true
	}
	s.tally.send(rep)
	return rep
}

// called counts a send that ended before anybody looked its device up.
func (s *Server) called(address string) {
	if x := s.device(address); x != nil {
		x.mu.Lock()
		x.calls++
		x.mu.Unlock()
		return
	}
	s.tally.stray(address)
}

// parse takes the request's body apart, once.
func (r *request) parse() (value, error) {
	if r.parsed {
		return r.root, r.parseErr
	}
	r.parsed = true
	if r.parseErr = r.bodyErr; r.parseErr == nil {
		r.root, r.parseErr = parse(r.body)
	}
	return r.root, r.parseErr
}

// target is whom the body names, however broken the rest of it is.
func (r *request) target() string {
	root, _ := r.parse()
	m := root.get("message")
	for _, name := range [...]string{"fid", "token", "topic"} {
		if to := m.get(name).text(); to != "" {
			return to
		}
	}
	return ""
}

func (s *Server) arrive(req *request) {
	s.tally.arrived.Add(1)
	if p := s.projectOf(req.project); p != nil {
		p.mu.Lock()
		p.arrived.add(s.ns(req.now), s.opt.KeepTimes)
		p.mu.Unlock()
	}
}

// send is a send without faults: who may, the project's quota, the body, the
// device and its limits. In which order the vendor looks is not documented.
func (s *Server) send(req *request) reply {
	p, rep, ok := s.authorize(req)
	if !ok {
		return rep
	}
	if rep, ok := s.spend(p, req); !ok {
		return rep
	}
	m, rep, ok := s.decode(req)
	if !ok {
		return rep
	}
	if name, ok := strings.CutPrefix(m.address, "magic-"); ok {
		return s.magic(req, p, m, name)
	}
	return s.deliver(req, p, m)
}

// spend takes one of the project's messages of this minute. A 4xx costs one
// too, but for a 429.
func (s *Server) spend(p *project, req *request) (reply, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.quota.left(s.ns(req.now), s.opt.Limits.ProjectPerMinute, time.Minute)
	if wait > 0 {
		rep := s.fail(ProjectQuota, about{project: p.name})
		rep.retryAfter = seconds(wait)
		return rep, false
	}
	p.quota.used++
	return reply{}, true
}

// seconds rounds up, because waiting shorter than told must not succeed.
func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

func (s *Server) decode(req *request) (*message, reply, bool) {
	if bad := s.outside(req); bad != nil {
		return nil, s.badRequest(false, *bad), false
	}
	root, err := req.parse()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, s.fail(BadRequest, about{message: "Request payload size exceeds the limit.", status: http.StatusRequestEntityTooLarge}), false
	}
	if err != nil {
		return nil, s.badRequest(false, violation{"", "Invalid JSON payload received. " + err.Error()}), false
	}
	c := checker{}
	c.object(&root, s.schema, "")
	if len(c.bad) > 0 {
		return nil, s.badRequest(false, c.bad...), false
	}
	if !root.has("message") {
		return nil, s.badRequest(true, violation{"message", "Message is required."}), false
	}
	m := read(root)
	if len(m.bad) > 0 {
		return nil, s.badRequest(true, m.bad...), false
	}
	return m, reply{}, true
}

// outside looks at what is beside the body. Google's APIs know some query
// parameters, and no others.
func (s *Server) outside(req *request) *violation {
	kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if kind != "application/json" {
		return &violation{"", "Invalid content type: it must be application/json"} // chosen
	}
	if req.URL.RawQuery == "" {
		return nil
	}
	known := []string{"$.xgafv", "access_token", "alt", "callback", "fields", "key", "oauth_token", "prettyPrint", "quotaUser", "uploadType", "upload_protocol"}
	query, _ := url.ParseQuery(req.URL.RawQuery)
	for name := range query {
		if !slices.Contains(known, name) {
			return &violation{"", "Invalid JSON payload received. Unknown name \"" + name + "\": Cannot bind query parameter. Field '" + name + "' could not be found in request message."}
		}
	}
	return nil
}

// deliver sees to the target of a message.
func (s *Server) deliver(req *request, p *project, m *message) reply {
	if m.target == "topic" || m.target == "condition" {
		if m.size(Android) > s.opt.Limits.TopicBytes {
			return s.fail(TooBig, about{message: "Topic message is too big"})
		}
		return s.accepted(req, p, m, nil) // nobody here has subscribed to anything
	}
	x, rep, ok := s.find(p, m)
	if !ok {
		return rep
	}
	x.mu.Lock()
	x.calls++
	gone := x.unregistered
	x.mu.Unlock()
	d := &x.d
	switch {
	case gone:
		return s.fail(Unregistered, about{})
	case d.Project != p.name:
		return s.fail(SenderIDMismatch, about{})
	case p.platformRefused(d.Platform):
		return s.fail(ThirdPartyAuth, about{})
	case m.size(d.Platform) > s.opt.Limits.PayloadBytes:
		return s.fail(TooBig, about{message: tooBig(d.Platform)})
	}
	if app := m.root.get("android", "restrictedPackageName").text(); app != "" && d.Platform == Android && d.App != "" && app != d.App {
		return s.badRequest(true, violation{"message.android.restricted_package_name", "The registration token does not match the restricted package name"})
	}
	return s.accepted(req, p, m, x)
}

func tooBig(p Platform) string {
	switch p {
	case IOS:
		return "APNs message is too big" // chosen
	case Web:
		return "Web Push message is too big" // chosen
	case Android:
	}
	return "Android message is too big"
}

// find looks the device up. That a token of no device here was one once cannot
// be known: what looks like one is UNREGISTERED, the rest INVALID_ARGUMENT.
func (s *Server) find(p *project, m *message) (*device, reply, bool) {
	x := s.device(m.address)
	switch {
	case x != nil && m.target == "fid" && x.d.FID != m.address:
		return nil, s.fail(Unregistered, about{}), false // a token where an FID belongs
	case x != nil:
		return x, reply{}, true
	}
	if !wellFormed(m.address) {
		s.tally.stray(m.address)
		return nil, s.fail(InvalidArgument, about{}), false
	}
	if !s.opt.AnyDevice {
		s.tally.stray(m.address)
		return nil, s.fail(Unregistered, about{}), false
	}
	d := Device{Token: m.address, Project: p.name, Platform: Android}
	if m.target == "fid" {
		d.Token, d.FID = "", m.address
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if x = s.devices[m.address]; x == nil {
		x = s.register(d)
	}
	return x, reply{}, true
}

// accepted takes a message for a device, or for none, unless the device has had
// too many.
func (s *Server) accepted(req *request, p *project, m *message, x *device) reply {
	if m.validate {
		s.tally.validated.Add(1)
		return reply{status: http.StatusOK, body: name(p, "fake_message_id")}
	}
	now := s.ns(req.now)
	id := messageID(req.now, s.nextID.Add(1))
	if x != nil {
		a := arrival{to: x, m: m, body: req.body, id: id, at: req.now}
		if wait := s.hand(a, now); wait > 0 {
			rep := s.fail(DeviceQuota, about{address: m.address})
			rep.retryAfter = seconds(wait)
			return rep
		}
	}
	p.mu.Lock()
	p.accepted.add(now, s.opt.KeepTimes)
	p.mu.Unlock()
	s.tally.accepted.Add(1)
	return reply{status: http.StatusOK, body: name(p, id)}
}

// messageID is of the form that Android's have.
func messageID(now time.Time, n int64) string {
	hex := strconv.FormatInt(n, 16)
	return "0:" + strconv.FormatInt(now.UnixMicro(), 10) + "%" + "0000000000000000"[:16-len(hex)] + hex
}

// name is the answer, written by hand: it is on the path of every send.
func name(p *project, id string) []byte {
	return []byte("{\n  \"name\": \"projects/" + p.name + "/messages/" + id + "\"\n}\n")
}
