// Asks a service of its own container whether it works:
//
//	healthcheck http PORT PATH    a GET that must be answered with 2xx or 3xx
//	healthcheck tcp PORT          a connection that must be accepted
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := ask(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "healthcheck:", err)
		os.Exit(1)
	}
}

func ask(words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("usage: healthcheck http PORT PATH | tcp PORT")
	}
	connection, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", words[1]), 4*time.Second)
	if err != nil {
		return err
	}
	defer connection.Close()
	if words[0] == "tcp" {
		return nil
	}
	path := "/"
	if len(words) > 2 {
		path = words[2]
	}
	if err := connection.SetDeadline(time.Now().Add(4 * time.Second)); err != nil {
		return err
	}
	fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: healthcheck\r\nConnection: close\r\n\r\n", path)
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return err
	}
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return fmt.Errorf("no answer in HTTP")
	}
	status, err := strconv.Atoi(fields[1])
	if err != nil || status < 200 || status > 399 {
		return fmt.Errorf("answered with %s", fields[1])
	}
	return nil
}
