package whatsappcloud

import (
	"net/http"
	"strings"
)

// Routes as faults name them.
const (
	routeSend      = "send"      // POST /{number}/messages
	routeRead      = "read"      // the same, marking as read
	routeMedia     = "media"     // upload, info, delete, download
	routeTemplates = "templates" // GET and POST /{account}/message_templates
	routeNumber    = "number"    // GET /{number}, GET /{account}/phone_numbers
	routeHistory   = "history"   // GET /{number}/message_history
	routeApps      = "apps"      // /{account}/subscribed_apps
	routeOther     = "other"
)

type handler func(*Server, *request) reply

type route struct {
	method string
	edge   string // after the object
	name   string
	of     string // number, account or media
	serve  handler
}

func routes() []route {
	return []route{
		{"POST", "messages", routeSend, "number", (*Server).messages},
		{"POST", "media", routeMedia, "number", (*Server).uploadMedia},
		{"GET", "message_history", routeHistory, "number", (*Server).messageHistory},
		{"GET", "message_templates", routeTemplates, "account", (*Server).listTemplates},
		{"POST", "message_templates", routeTemplates, "account", (*Server).createTemplate},
		{"GET", "phone_numbers", routeNumber, "account", (*Server).listNumbers},
		{"GET", "subscribed_apps", routeApps, "account", (*Server).getApps},
		{"POST", "subscribed_apps", routeApps, "account", (*Server).subscribeApp},
		{"DELETE", "subscribed_apps", routeApps, "account", (*Server).unsubscribeApp},
		{"GET", "", routeNumber, "number", (*Server).getNumber},
		{"GET", "", routeMedia, "media", (*Server).mediaInfo},
		{"DELETE", "", routeMedia, "media", (*Server).deleteMedia},
	}
}

// locate finds what a path means. The refusals here come before the token is
// looked at: chosen.
func (s *Server) locate(req *request) (handler, *refusal) {
	req.route = routeOther
	path := strings.Trim(req.URL.Path, "/")
	if path == "whatsapp_business/attachments" {
		req.route = routeMedia
		return (*Server).downloadMedia, nil
	}
	first, rest, _ := strings.Cut(path, "/")
	if !isVersion(first) {
		if g := s.opt.Gateway; g != nil && req.Header.Get(g.Header) != "" {
			return s.locateGateway(req, path)
		}
		return nil, graph(http.StatusBadRequest, 2500, 0, "", "Unknown path components: /"+path)
	}
	req.version = first
	if refused := s.checkVersion(req); refused != nil {
		// The route is known all the same, for counts.
		if id, ok := strings.CutSuffix(rest, "/messages"); ok {
			req.route, req.id = routeSend, id
		}
		return nil, refused
	}
	id, edge, _ := strings.Cut(rest, "/")
	return s.object(req, id, edge)
}

func (s *Server) object(req *request, id, edge string) (handler, *refusal) {
	req.id = id
	s.mu.Lock()
	defer s.mu.Unlock()
	of := "media"
	switch {
	case s.numbers[id] != nil:
		req.num = s.numbers[id]
		req.acc, of = req.num.acc, "number"
	case s.accounts[id] != nil:
		req.acc, of = s.accounts[id], "account"
	case s.media[id] != nil:
		req.acc = s.media[id].acc
	case edge != "":
		of = ""
	}
	known := false
	for _, rt := range routes() {
		if rt.edge != edge || rt.of != of && of != "" {
			continue
		}
		known = true
		if rt.method == req.Method {
			req.route = rt.name
			if of == "" {
				return nil, noObject(req, id)
			}
			return rt.serve, nil
		}
	}
	if known || edge == "" {
		return nil, noObject(req, id)
	}
	return nil, graph(http.StatusBadRequest, 2500, 0, "", "Unknown path components: /"+edge)
}

// noObject is Graph's answer for what is not there, or not for this token.
func noObject(req *request, id string) *refusal {
	return graph(http.StatusBadRequest, 100, 33, "GraphMethodException", "Unsupported "+strings.ToLower(req.Method)+" request. Object with ID '"+id+
		"' does not exist, cannot be loaded due to missing permissions, or does not support this operation. Please read the Graph API documentation at https://developers.facebook.com/docs/graph-api")
}

func isVersion(text string) bool {
	major, minor, ok := strings.Cut(strings.TrimPrefix(text, "v"), ".")
	return ok && strings.HasPrefix(text, "v") && digits(major, 1, 3) && digits(minor, 1, 2)
}

// checkVersion refuses versions that were never there or are over. Meta prints
// neither answer for this API: 2500 is Graph's for a path it does not know, 2635
// that of its Marketing API for a version that is over (chosen).
func (s *Server) checkVersion(req *request) *refusal {
	for _, v := range s.opt.Versions {
		if v.Name != req.version {
			continue
		}
		if !v.Until.IsZero() && !req.now.Before(v.Until) {
			newest := s.opt.Versions[len(s.opt.Versions)-1].Name
			return graph(http.StatusBadRequest, 2635, 0, "",
				"(#2635) You are calling a deprecated version of the API. Please update to the latest version: "+newest+".")
		}
		return nil
	}
	return graph(http.StatusBadRequest, 2500, 0, "", "Unknown path components: /"+req.version+"/...")
}

// locateGateway is the path of a 360dialog-like front.
func (s *Server) locateGateway(req *request, path string) (handler, *refusal) {
	g := s.opt.Gateway
	if prefix := strings.Trim(g.Path, "/"); prefix != "" {
		rest, ok := strings.CutPrefix(path, prefix+"/")
		if !ok {
			return nil, graph(http.StatusNotFound, 2500, 0, "", "Unknown path components: /"+path)
		}
		path = rest
	}
	id := ""
	s.mu.Lock()
	for _, n := range s.numberIDs {
		if s.numbers[n].APIKey == req.Header.Get(g.Header) {
			id = n
		}
	}
	s.mu.Unlock()
	if id == "" {
		if path == "messages" {
			req.route = routeSend
		}
		return nil, graph(http.StatusUnauthorized, 190, 0, "", "Invalid api_key")
	}
	req.key = req.Header.Get(g.Header)
	switch {
	case path == "messages" || path == "media":
		return s.object(req, id, path)
	case !strings.Contains(path, "/") && digits(path, 10, 20):
		return s.object(req, path, "")
	}
	return nil, graph(http.StatusNotFound, 2500, 0, "", "Unknown path components: /"+path)
}

// authorise checks the token. A token of another account is as good as no
// object: so Graph says.
func (s *Server) authorise(req *request) *refusal {
	if req.key != "" { // the gateway's, found by it
		return nil
	}
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		return graph(http.StatusUnauthorized, 104, 0, "", "An access token is required to request this resource.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var owner *account
	for _, id := range s.accountIDs {
		if s.accounts[id].Token == token {
			owner = s.accounts[id]
			if owner == req.acc {
				break
			}
		}
	}
	switch {
	case owner == nil:
		return graph(http.StatusUnauthorized, 190, 0, "", "Invalid OAuth access token - Cannot parse access token")
	case owner.Expired:
		return graph(http.StatusUnauthorized, 190, 463, "", "Error validating access token: Session has expired. The current time is after the expiry.")
	case owner.NoScope:
		return graph(http.StatusForbidden, 10, 0, "", "(#10) Application does not have permission for this action")
	case req.acc != nil && owner != req.acc:
		return noObject(req, req.id)
	}
	req.acc, req.key = owner, token
	return nil
}
