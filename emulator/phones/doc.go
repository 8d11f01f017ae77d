// Package phones is a wall of lock screens: what the emulated phones and
// browsers of a demo show, as a page that a person can look at and tap on. It
// is meant for demos and tests: it has no persistence and no authentication.
//
// # Use
//
//	board := phones.New(phones.Options{
//		OnTap: func(ctx context.Context, phone phones.Phone, card phones.Card, action string) error {
//			... report "opened", or "action" when action is not empty ...
//		},
//	})
//	defer board.Close()
//	board.AddPhone(phones.Phone{ID: "alice", Name: "Alice's phone", Platform: "android"})
//	board.Show("alice", phones.Card{App: "Demo", Title: "Hello", Body: "world"})
//	http.ListenAndServe(addr, board.Handler())
//
// # Routes
//
//	GET  /phones                               the page; without JavaScript it loads itself anew now and then
//	GET  /phones.json                          the same as JSON
//	GET  /phones/board                         the part of the page that changes
//	GET  /phones/events                        server-sent events: "change" whenever there is something new
//	GET  /phones/assets/...
//	POST /phones/{phone}/cards/{card}/tap      {"action":"yes"}, or {} for the card itself
//	POST /phones/{phone}/cards/{card}/dismiss
//
// A POST of a form goes back to the page, one of JSON gets the card. POSTs that
// a browser sends from a page of another origin are refused.
//
// What is shown is foreign text: it is escaped, links other than http and https
// are never links on the page, and the page's policy lets nothing run but its
// own script.
package phones
