package web

import "net/http"

func Serve(level string) {
	http.HandleFunc("/healthz", nil)
	http.ListenAndServe(":9400", nil)
}
