package main

import (
	"os"

	"example.org/meter/web"
)

func main() {
	web.Serve(os.Getenv("METER_LEVEL"))
}
