// Command exporter serves metrics of simulated devices.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/gauges/internal/gauge"
)

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "9001"
	}
	http.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	http.HandleFunc("/metrics", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, gauge.Exposition(4)) })
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
