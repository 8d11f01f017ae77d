package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"peal/internal/store/pgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"peal": main})
}

// TestScripts runs testdata/*.txtar against the real binary. Beside testscript's own commands there are:
//
//	fake FILE               starts a server that gives the answers of FILE, sets $PEAL_URL to it and writes what it was
//	                        asked to requests.log. A line of FILE is: METHOD PATH STATUS BODY. Lines of the same
//	                        method and path are answers to one call after the other; the last stays.
//	                        In a body ⏎ is a line break.
//	http METHOD URL [BODY] [HEADER: VALUE...]
//	                        makes a call and prints status and body to http.out.
//	listening ADDRESS       waits until somebody listens there.
//	field NAME PATH         sets $NAME to a string of the JSON that the last command printed, such as deliveries.0.id.
//	requested COUNT         waits until the fake server was asked so often.
//	body URL REGEXP         waits until URL answers something that matches.
//	spoil flip|cut FROM TO  copies a file with one bit in its middle turned, or without its second half.
//	mistake REGEXP ARGS...  runs peal, which must find fault with its usage in words that match.
func TestScripts(t *testing.T) {
	freeAddress := freeAddresses()
	var postgres [2]string // the URLs of empty databases, each for one script: they run at once
	if os.Getenv(pgtest.Variable) != "" {
		postgres = [2]string{pgtest.URL(t), pgtest.URL(t)}
	}
	testscript.Run(t, testscript.Params{
		Condition:           func(cond string) (bool, error) { return cond == "postgres" && postgres[0] != "", nil },
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"FREE_ADDR", "FREE_ADDR2"} {
				address, err := freeAddress()
				if err != nil {
					return err
				}
				env.Setenv(name, address)
			}
			env.Setenv("POSTGRES_URL", postgres[0])
			env.Setenv("POSTGRES_URL2", postgres[1])
			env.Setenv("TZ", "UTC")
			env.Setenv("COLUMNS", "100")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // with -race each process would rest a second before it ends
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fake": cmdFake, "http": cmdHTTP, "listening": cmdListening, "mistake": cmdMistake, "requested": cmdRequested, "field": cmdField, "body": cmdBody, "spoil": cmdSpoil,
		},
	})
}

// freeAddresses gives a function that finds addresses nobody listens on, each once. The ports are below those that
// systems give to outgoing connections, so nobody takes one before the script does.
func freeAddresses() func() (string, error) {
	var mu sync.Mutex
	port := 20000 + rand.IntN(10000)
	return func() (string, error) {
		mu.Lock()
		defer mu.Unlock()
		for range 1000 {
			port++
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err == nil {
				return l.Addr().String(), l.Close()
			}
		}
		return "", errors.New("no port is free")
	}
}

func cmdFake(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fake FILE")
	}
	f := &scripted{answers: map[string][]scriptedAnswer{}}
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(args[0])))
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), " ", 4)
		if len(parts) < 3 {
			continue
		}
		status, err := strconv.Atoi(parts[2])
		ts.Check(err)
		a := scriptedAnswer{status: status}
		if len(parts) == 4 {
			a.body = strings.ReplaceAll(parts[3], "⏎", "\n")
		}
		route := parts[0] + " " + parts[1]
		f.answers[route] = append(f.answers[route], a)
	}
	ts.Check(lines.Err())
	log, err := os.Create(ts.MkAbs("requests.log"))
	ts.Check(err)
	f.log = log
	server := httptest.NewServer(f)
	ts.Defer(func() {
		server.Close()
		ts.Check(log.Close())
	})
	ts.Setenv("PEAL_URL", server.URL)
	ts.Setenv("PEAL_API_KEY", "key-1")
}

type scriptedAnswer struct {
	status int
	body   string
}

// scripted is a server that answers from a list.
type scripted struct {
	mu      sync.Mutex
	answers map[string][]scriptedAnswer
	log     io.Writer
}

func (f *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprintf(f.log, "%s %s tenant=%s key=%s auth=%s %s\n", r.Method, r.RequestURI, r.Header.Get("Peal-Tenant"),
		r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), body)
	route := r.Method + " " + r.URL.EscapedPath()
	left := f.answers[route]
	if len(left) == 0 {
		http.Error(w, "the script has no answer for "+route, http.StatusNotImplemented)
		return
	}
	if len(left) > 1 {
		f.answers[route] = left[1:]
	}
	w.Header().Set("Content-Type", "application/json")
	if left[0].status >= http.StatusBadRequest {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(left[0].status)
	_, _ = io.WriteString(w, left[0].body)
}

func cmdHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: http METHOD URL [BODY] [HEADER: VALUE...]")
	}
	var body io.Reader
	if len(args) > 2 {
		body = strings.NewReader(args[2])
	}
	req, err := http.NewRequest(args[0], args[1], body)
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	for _, h := range args[min(len(args), 3):] {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	ts.Check(err)
	defer resp.Body.Close() //nolint:errcheck // only read
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("http.out"), fmt.Appendf(nil, "%s\n%s\n", resp.Status, answer), 0o600))
	if failed := resp.StatusCode >= http.StatusBadRequest; failed != neg {
		ts.Fatalf("%s %s: %s\n%s", args[0], args[1], resp.Status, answer)
	}
}

func cmdListening(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listening ADDRESS")
	}
	eventually(ts, "somebody listens on "+args[0], func() bool {
		conn, err := net.Dial("tcp", args[0])
		if err != nil {
			return false
		}
		ts.Check(conn.Close())
		return true
	})
}

func cmdRequested(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: requested COUNT")
	}
	count, err := strconv.Atoi(args[0])
	ts.Check(err)
	eventually(ts, args[0]+" requests", func() bool {
		return strings.Count(ts.ReadFile("requests.log"), "\n") >= count
	})
}

func cmdBody(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: body URL REGEXP")
	}
	want := regexp.MustCompile(args[1])
	eventually(ts, args[0]+" answers "+args[1], func() bool {
		resp, err := http.Get(args[0])
		if err != nil {
			return false
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		answer, err := io.ReadAll(resp.Body)
		return err == nil && want.Match(answer)
	})
}

// eventually waits until done says so.
func eventually(ts *testscript.TestScript, what string, done func() bool) {
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Now().After(deadline) {
			ts.Fatalf("waited in vain: %s", what)
		}
		<-tick.C
	}
}

func cmdMistake(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: mistake REGEXP ARGS...")
	}
	var exit *exec.ExitError
	if err := ts.Exec("peal", args[1:]...); !errors.As(err, &exit) || exit.ExitCode() != exitUsage {
		ts.Fatalf("peal %q: %v, want exit code %d", args[1:], err, exitUsage)
	}
	stderr := ts.ReadFile("stderr")
	if !regexp.MustCompile(args[0]).MatchString(stderr) {
		ts.Fatalf("stderr does not match %s:\n%s", args[0], stderr)
	}
	if stdout := ts.ReadFile("stdout"); stdout != "" || !strings.HasPrefix(stderr, "peal: ") || strings.Count(stderr, "peal: ") != 1 {
		ts.Fatalf("want one line that begins with peal: on stderr and nothing on stdout; got\n%s%s", stderr, stdout)
	}
}

func cmdSpoil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || args[0] != "flip" && args[0] != "cut" {
		ts.Fatalf("usage: spoil flip|cut FROM TO")
	}
	file := []byte(ts.ReadFile(args[1]))
	if args[0] == "cut" {
		file = file[:len(file)/2]
	} else {
		file[len(file)/2] ^= 1
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), file, 0o600))
}

func cmdField(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: field NAME PATH")
	}
	var value any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &value))
	for part := range strings.SplitSeq(args[1], ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			ts.Check(err)
			value = v[i]
		}
	}
	text, ok := value.(string)
	if !ok || text == "" {
		ts.Fatalf("there is no string at %s", args[1])
	}
	ts.Setenv(args[0], text)
}
