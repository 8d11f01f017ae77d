package app

import (
	_ "embed" // the picture
	"net/http"
)

// demoShop is the site that the demonstration's pushes tell of. The emulated phones find it at the emulators.
const demoShop = "https://shop.example"

//go:embed assets/parcel.png
var parcel []byte

// shop serves the picture and the page of the demonstration's push.
func shop() http.Handler {
	mux := http.NewServeMux()
	serve := func(kind string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(body) // nobody to tell when the caller has gone
		}
	}
	mux.Handle("GET /parcel.png", serve("image/png", parcel))
	page := serve("text/html; charset=utf-8", []byte(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
<body style="font:18px system-ui;max-width:640px;margin:60px auto;padding:0 20px"><h1>Order 17 is on its way</h1>
<p>Here would be a page of your own: the link of a push leads there.</p>
<img src="/shop/parcel.png" alt="A parcel" style="width:100%;border-radius:16px">`))
	mux.Handle("GET /orders/17", page)
	mux.Handle("GET /{$}", page)
	return mux
}
