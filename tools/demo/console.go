package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	asked    = 6               // requests of one "get"
	patience = 5 * time.Second // for each of them
	tellTime = time.Minute     // for a command of ldirectord
)

const help = `Try, here:
    get            ask the virtual service six times
    stop 1         end web1 (stop all: the fallback server takes over)
    start 1        start it again (start all)
    fail 2         web2 answers 503 from now on (start 2 ends it)
    drain 1        give web1 no new connections (undrain 1 ends it)
    weight 3 5     change a weight in the configuration: the daemon sees it
    edit           where the configuration is, for an editor
    status         every server as the daemon sees it
    why 1          what web1's checks found, and what was done about it
    table          the daemon's table as it is now
    check          what is wrong with the configuration
    probe          make each check once and show the results
    metrics        what Prometheus would read
    help           this list
    quit           end (or Ctrl-C)`

// comments are the lines of metrics that Prometheus reads and people don't.
var comments = regexp.MustCompile(`(?m)^#.*\n`)

// introduce says what runs where.
func (s *stage) introduce() {
	var b strings.Builder
	fmt.Fprintf(&b, "ldirectord keeps one virtual service in front of three web servers:\n")
	fmt.Fprintf(&b, "    http://%s/    the virtual service: curl it, or open it in a browser\n", s.virtual)
	for _, w := range s.webs {
		fmt.Fprintf(&b, "    http://%s/    %s\n", w.addr, w.name)
	}
	fmt.Fprintf(&b, "    http://%s/    %s, for when all of them are down\n", s.sorry.addr, s.sorry.name)
	fmt.Fprintf(&b, "    http://%s/    what is wrong, for a browser; with /metrics, for Prometheus\n", s.metrics)
	fmt.Fprintf(&b, "The configuration is %s.\n", s.conf)
	if s.inKernel() {
		fmt.Fprintf(&b, "The kernel forwards by its IPVS table.\n")
	} else {
		fmt.Fprintf(&b, "The table is in memory; this program relays by it, as the kernel would.\n")
	}
	s.say("%s%s\n", b.String(), help)
}

// readLines hands on what is typed, until it ends or ctx does.
func readLines(ctx context.Context, in io.Reader, lines chan<- string) {
	for sc := bufio.NewScanner(in); sc.Scan(); {
		select {
		case lines <- sc.Text():
		case <-ctx.Done():
			return
		}
	}
}

// do obeys one line; false means that it was "quit".
func (s *stage) do(ctx context.Context, line string) bool {
	verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	var err error
	switch verb {
	case "":
	case "get":
		s.get(ctx)
	case "stop":
		err = s.each(rest, s.stop)
	case "start":
		err = s.each(rest, s.start)
	case "fail":
		err = s.each(rest, s.fail)
	case "weight":
		err = s.weight(rest)
	case "edit":
		s.say("Edit %s; the daemon reloads it when you save it.", s.conf)
	case "status":
		err = s.tell(ctx, "status", "-v")
	case "why", "drain", "undrain":
		err = s.each(rest, func(w *web) error { return s.tell(ctx, verb, w.addr) })
	case "table":
		err = s.showTable()
	case "check", "probe":
		err = s.tell(ctx, verb)
	case "metrics":
		err = s.showMetrics(ctx)
	case "wait": // for scripts
		err = wait(ctx, rest)
	case "help", "?":
		s.say("%s", help)
	case "quit", "exit":
		return false
	default:
		err = fmt.Errorf("unknown command %q: try help", verb)
	}
	if err != nil {
		s.say("%v", err)
	}
	return true
}

// each does something to the web server with a number, or to "all".
func (s *stage) each(which string, do func(*web) error) error {
	if which != "all" {
		n, err := strconv.Atoi(strings.TrimPrefix(which, "web"))
		if err != nil || n < 1 || n > len(s.webs) {
			return fmt.Errorf("which web server? 1 to %d, or all", len(s.webs))
		}
		return do(s.webs[n-1])
	}
	for _, w := range s.webs {
		if err := do(w); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) stop(w *web) error {
	w.stop()
	s.say("%s is stopped: its port is closed.", w.name)
	return nil
}

func (s *stage) start(w *web) error {
	if err := w.start(false); err != nil {
		return err
	}
	s.say("%s runs and is healthy.", w.name)
	return nil
}

func (s *stage) fail(w *web) error {
	stopped := !w.running()
	if err := w.start(true); err != nil {
		return err
	}
	if stopped {
		s.say("%s runs again, and answers 503.", w.name)
		return nil
	}
	s.say("%s answers 503 from now on.", w.name)
	return nil
}

// weight edits the configuration: "3 5" gives web3 weight 5.
func (s *stage) weight(args string) error {
	which, value, _ := strings.Cut(args, " ")
	value = strings.TrimSpace(value)
	if n, err := strconv.Atoi(value); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("weight NUMBER WEIGHT, the weight from 0 to 65535")
	}
	return s.each(which, func(w *web) error {
		old, err := readFile(s.conf)
		if err != nil {
			return err
		}
		changed, err := setWeight(old, w.addr, value)
		if err != nil {
			return err
		}
		when := ""
		if !w.running() || w.failing.Load() {
			when = " It gets it when it is up again."
		}
		s.say("%s has weight %s in the configuration.%s", w.name, value, when)
		return replaceFile(s.conf, changed)
	})
}

func (s *stage) showTable() error {
	text, err := s.table()
	if err != nil {
		return fmt.Errorf("read the table: %w", err)
	}
	if text == "" {
		text = "The table is empty.\n"
	}
	s.say("%s", strings.TrimSuffix(text, "\n"))
	return nil
}

// tell shows what a command of ldirectord has to say. Its exit status is part of that.
func (s *stage) tell(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	said, err := s.ldirectord(ctx, args...).CombinedOutput()
	s.say("%s", strings.TrimSuffix(string(said), "\n"))
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		s.say("(exit status %d)", failed.ExitCode())
		return nil
	}
	return err
}

// showMetrics shows the metrics without their comments.
func (s *stage) showMetrics(ctx context.Context) error {
	url := "http://" + s.metrics + "/metrics"
	resp, err := ask(ctx, url)
	if err != nil {
		return fmt.Errorf("read the metrics: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxFile))
	if err != nil {
		return fmt.Errorf("read the metrics: %w", err)
	}
	s.say("%s has:\n%s", url, strings.TrimSuffix(comments.ReplaceAllString(string(text), ""), "\n"))
	return nil
}

// get asks the virtual service a few times, each time on a new connection, and says who answered.
func (s *stage) get(ctx context.Context) {
	var who []string
	for range asked {
		who = append(who, answerer(ctx, s.virtual))
	}
	s.say("Answers from: %s", strings.Join(who, ", "))
}

// client makes a new connection for each request.
var client = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

func ask(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return client.Do(req)
}

// answerer is the name of the server that answered a request to an address.
func answerer(ctx context.Context, addr string) string {
	resp, err := ask(ctx, "http://"+addr+"/")
	if err != nil {
		return "nobody"
	}
	resp.Body.Close()
	return resp.Header.Get("Server")
}

// wait sleeps as long as a script wants, at most a minute.
func wait(ctx context.Context, duration string) error {
	d, err := time.ParseDuration(duration)
	if err != nil || d > time.Minute {
		return fmt.Errorf("wait DURATION, for example 2s, at most 1m")
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	return nil
}
