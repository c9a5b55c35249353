// Command dashboard shows the devices to people.
package main

import (
	"embed"
	"log"
	"net/http"
)

//go:embed page.html
var pages embed.FS

func main() {
	http.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok\n")) })
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, pages, "page.html") })
	log.Fatal(http.ListenAndServe(":9000", nil))
}
