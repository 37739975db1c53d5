// Command echo is the HTTP backend of the cluster tests: it answers every request with a JSON description of what
// arrived, so that a test sees which pod was reached and what a proxy did to the request on its way.
//
// Environment:
//
//	POD_NAME      name in the answers; otherwise the host name, which in a pod is the name of the pod
//	LISTEN_ON     port to listen on; otherwise 8080
//	ANSWER_DELAY  wait before every answer except /healthz ("250ms")
//	STOP_LINGER   how long to go on serving after SIGTERM before the listener closes ("2s"); otherwise not at all
//
// None of them begins with "ECHO": in a namespace with a Service of the name echo, Kubernetes sets ECHO_PORT itself.
//
// Query parameters of a request:
//
//	delay=250ms  wait before this answer, in place of ANSWER_DELAY
//	status=503   answer with this status
//	bytes=N      answer with N bytes of a repeating pattern, streamed, in place of the JSON
//	pace=10ms    pause between the pieces (4 KiB each) of such a stream
//	resolve=NAME add the addresses that this name has for the pod to the JSON
//	connect=HOST:PORT  add what comes of a TCP connection from the pod to there: "open", or why it is not
//	network=udp  with connect: of datagrams, which is "open" unless a refusal comes back
//	host=NAME    with connect: of a request for / of this host, which is the first line of its answer
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	maxWait  = 10 * time.Minute
	maxBytes = 1 << 34
	piece    = 4096
	// One that got lost comes again after a second.
	connectWait = 1500 * time.Millisecond
	// A kernel refuses once in a second.
	datagrams    = 8
	datagramWait = 250 * time.Millisecond
)

type description struct {
	Pod           string      `json:"pod"`
	Method        string      `json:"method"`
	Path          string      `json:"path"`
	Query         string      `json:"query"`
	Protocol      string      `json:"protocol"`
	Host          string      `json:"host"`
	RemoteAddress string      `json:"remoteAddress"`
	Headers       http.Header `json:"headers"`
	BodyBytes     int64       `json:"bodyBytes"`
	Addresses     []string    `json:"addresses,omitempty"`
	Connection    string      `json:"connection,omitempty"`
}

type server struct {
	name  string
	delay time.Duration
}

// wait returns false when the client went away first.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func duration(text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && (d < 0 || d > maxWait) {
		err = fmt.Errorf("%s is not between 0 and %s", text, maxWait)
	}
	return d, err
}

func integer(text string, otherwise, low, high int64) (int64, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && (n < low || n > high) {
		err = fmt.Errorf("%s is not between %d and %d", text, low, high)
	}
	return n, err
}

// No ServeMux here: it would answer with a redirect where a path is not clean, and tests want to see just such paths.
func (s server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		_, _ = io.WriteString(w, "ok\n")
		return
	}
	query := r.URL.Query()
	delay, delayErr := duration(query.Get("delay"), s.delay)
	pace, paceErr := duration(query.Get("pace"), 0)
	status, statusErr := integer(query.Get("status"), 200, 200, 599)
	size, sizeErr := integer(query.Get("bytes"), -1, 0, maxBytes)
	w.Header().Set("X-Pod", s.name)
	if err := errors.Join(delayErr, paceErr, statusErr, sizeErr); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	received, err := io.Copy(io.Discard, r.Body)
	if err != nil || !wait(r.Context(), delay) {
		return
	}
	if size >= 0 {
		s.stream(w, r, int(status), size, pace)
		return
	}
	var addresses []string
	if name := query.Get("resolve"); name != "" {
		if addresses, err = net.DefaultResolver.LookupHost(r.Context(), name); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
	}
	var connection string
	if target := query.Get("connect"); target != "" {
		connection = attempt(r.Context(), query.Get("network"), target, query.Get("host"))
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	body, err := json.Marshal(description{
		Pod: s.name, Method: r.Method, Path: path, Query: r.URL.RawQuery, Protocol: r.Proto, Host: r.Host,
		RemoteAddress: r.RemoteAddr, Headers: r.Header, BodyBytes: received,
		Addresses: addresses, Connection: connection,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(int(status))
	_, _ = w.Write(append(body, '\n'))
}

func attempt(ctx context.Context, network, target, host string) string {
	if network == "" {
		network = "tcp"
	}
	dialer := net.Dialer{Timeout: connectWait}
	connection, err := dialer.DialContext(ctx, network, target)
	if err != nil {
		return err.Error()
	}
	defer connection.Close()
	switch {
	case network == "udp":
		err = refusal(connection)
	case host != "":
		_ = connection.SetDeadline(time.Now().Add(connectWait))
		_, err = fmt.Fprintf(connection, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		if err == nil {
			var line string
			if line, err = bufio.NewReader(connection).ReadString('\n'); err == nil {
				return strings.TrimSpace(line)
			}
		}
	}
	if err != nil {
		return err.Error()
	}
	return "open"
}

// refusal returns what comes back of datagrams that nobody takes, and nil when nothing does.
func refusal(connection net.Conn) error {
	for range datagrams {
		if _, err := connection.Write([]byte("datagram")); err != nil {
			return err
		}
		_ = connection.SetReadDeadline(time.Now().Add(datagramWait))
		if _, err := connection.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}

func (s server) stream(w http.ResponseWriter, r *http.Request, status int, size int64, pace time.Duration) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.WriteHeader(status)
	pattern := bytes.Repeat([]byte("0123456789abcdef"), piece/16)
	for left := size; left > 0; {
		n := min(left, piece)
		if _, err := w.Write(pattern[:n]); err != nil {
			return
		}
		if left -= n; left > 0 && pace > 0 {
			if err := http.NewResponseController(w).Flush(); err != nil || !wait(r.Context(), pace) {
				return
			}
		}
	}
}

func main() {
	name, _ := os.Hostname()
	if given := os.Getenv("POD_NAME"); given != "" {
		name = given
	}
	port, portErr := integer(os.Getenv("LISTEN_ON"), 8080, 1, 65535)
	delay, delayErr := duration(os.Getenv("ANSWER_DELAY"), 0)
	linger, lingerErr := duration(os.Getenv("STOP_LINGER"), 0)
	if err := errors.Join(portErr, delayErr, lingerErr); err != nil {
		log.Print(err)
		os.Exit(64)
	}
	// Idle connections stay open longer than those of any proxy under test, so that it is the proxy who closes first.
	listener := &http.Server{
		Addr: fmt.Sprintf(":%d", port), Handler: server{name, delay}, ReadHeaderTimeout: time.Minute, IdleTimeout: time.Hour,
	}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	drained := make(chan struct{})
	go func() {
		<-stop
		time.Sleep(linger)
		_ = listener.Shutdown(context.Background())
		close(drained)
	}()
	if err := listener.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Print(err)
		os.Exit(69)
	}
	<-drained
}
