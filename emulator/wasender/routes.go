package wasender

import (
	"net/http"
	"strconv"
	"strings"
)

type access int

const (
	needKey    access = iota // a session's API key
	needPAT                  // the personal access token
	needEither               // one of them
)

type route struct {
	method string
	path   string // * stands for one part
	access access
	serve  func(*Server, *request) reply
}

func routes() []route {
	return []route{
		{"POST", "/send-message", needKey, (*Server).sendMessage},
		{"GET", "/messages/*/info", needKey, (*Server).messageInfo},
		{"PUT", "/messages/*", needKey, (*Server).editMessage},
		{"DELETE", "/messages/*", needKey, (*Server).deleteMessage},
		{"POST", "/messages/*/resend", needKey, (*Server).resendMessage},
		{"GET", "/status", needKey, (*Server).status},
		{"GET", "/on-whatsapp/*", needKey, (*Server).onWhatsApp},
		{"GET", "/auth-check", needEither, (*Server).authCheck},
		{"GET", "/whatsapp-sessions", needPAT, (*Server).listSessions},
		{"POST", "/whatsapp-sessions", needPAT, (*Server).createSession},
		{"GET", "/whatsapp-sessions/*", needPAT, (*Server).getSession},
		{"PUT", "/whatsapp-sessions/*", needPAT, (*Server).updateSession},
		{"DELETE", "/whatsapp-sessions/*", needPAT, (*Server).deleteSession},
		{"POST", "/whatsapp-sessions/*/connect", needPAT, (*Server).connectSession},
		{"GET", "/whatsapp-sessions/*/qrcode", needPAT, (*Server).qrCode},
		{"POST", "/whatsapp-sessions/*/disconnect", needPAT, (*Server).disconnectSession},
		{"POST", "/whatsapp-sessions/*/restart", needPAT, (*Server).restartSession},
		{"POST", "/whatsapp-sessions/*/regenerate-key", needPAT, (*Server).regenerateKey},
		{"GET", "/whatsapp-sessions/*/message-logs", needPAT, (*Server).messageLogs},
		{"GET", "/whatsapp-sessions/*/session-logs", needPAT, (*Server).sessionLogs},
	}
}

// matchPath returns the parts of path that stand at the pattern's stars.
func matchPath(pattern, path string) (args []string, ok bool) {
	for {
		p, pRest, pMore := strings.Cut(pattern, "/")
		x, xRest, xMore := strings.Cut(path, "/")
		switch {
		case p == "*" && x != "":
			args = append(args, x)
		case p != x:
			return nil, false
		}
		if pMore != xMore {
			return nil, false
		}
		if !pMore {
			return args, true
		}
		pattern, path = pRest, xRest
	}
}

// route finds the handler, checks the token and calls it.
func (s *Server) route(req *request, path string, bodyErr error) reply {
	if req.send { // the path of every measured run: no search
		return s.serve(req, route{access: needKey, serve: (*Server).sendMessage}, bodyErr)
	}
	known := false
	for _, rt := range s.routes {
		args, ok := matchPath(rt.path, path)
		if !ok {
			continue
		}
		known = true
		if rt.method == req.Method {
			req.args = args
			return s.serve(req, rt, bodyErr)
		}
	}
	if known {
		return fail(http.StatusMethodNotAllowed,
			"The "+req.Method+" method is not supported for route "+path+".")
	}
	return notFound(path)
}

func (s *Server) serve(req *request, rt route, bodyErr error) reply {
	s.mu.Lock()
	if req.sess = s.byKey[req.key]; req.sess != nil {
		req.sessID = req.sess.ID
	}
	s.mu.Unlock()
	pat := req.key != "" && req.key == s.opt.PAT
	switch {
	case rt.access == needKey && req.sess == nil,
		rt.access == needPAT && !pat,
		rt.access == needEither && !pat && req.sess == nil:
		return unauthenticated()
	case bodyErr != nil:
		return bodyReply(bodyErr)
	}
	return rt.serve(s, req)
}

// number parses the i-th argument of the path as a positive id.
func (r *request) number(i int) (int64, bool) {
	n, err := strconv.ParseInt(r.args[i], 10, 64)
	return n, err == nil && n > 0
}
