package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/status"
	"ldirectord/internal/testkit"
)

// runningDaemon is a daemon in a process of its own, with the table in memory.
type runningDaemon struct {
	t    *testing.T
	dir  string
	args []string
}

// launched starts a daemon, by start or standby, for a configuration. Its log goes to the folder.
func launched(t *testing.T, verb, config string) *runningDaemon {
	t.Helper()
	d := unstarted(t, config)
	d.args[3] = "memory"
	d.tell(verb)
	t.Cleanup(func() { d.tell("stop") })
	return d
}

// unstarted is a daemon for a configuration with its table in a file of its folder.
func unstarted(t *testing.T, config string) *runningDaemon {
	t.Helper()
	d := &runningDaemon{t: t, dir: t.TempDir()}
	d.args = []string{"--rundir", d.dir, "--ipvs", "memory:" + d.path("table"), d.path("ld.cf")}
	d.write(config)
	return d
}

func (d *runningDaemon) path(name string) string { return filepath.Join(d.dir, name) }

// holds reports whether a file of the daemon has a text in it.
func (d *runningDaemon) holds(name, text string) bool {
	got, _ := os.ReadFile(d.path(name))
	return strings.Contains(string(got), text)
}

func (d *runningDaemon) logged(config string) string {
	return fmt.Sprintf("logfile = \"%s\"\n%s", d.path("log"), config)
}

func (d *runningDaemon) write(config string) {
	d.t.Helper()
	testkit.Write(d.t, d.path("ld.cf"), d.logged(config))
}

// put replaces a file in one step, as programs that renew certificates do.
func (d *runningDaemon) put(name, text string) {
	d.t.Helper()
	testkit.Write(d.t, d.path("new"), text)
	testkit.OK(d.t, os.Rename(d.path("new"), d.path(name)))
}

// replace puts another file in the place of the configuration.
func (d *runningDaemon) replace(config string) { d.t.Helper(); d.put("ld.cf", d.logged(config)) }

// options are the options of a command for this daemon.
func (d *runningDaemon) options() *options {
	return &options{RunDir: d.dir, config: "ld.cf", path: d.path("ld.cf"), IPVS: "memory"}
}

func (d *runningDaemon) tell(verb ...string) {
	d.t.Helper()
	if said, err := d.say(verb...); err != nil {
		d.t.Fatalf("%v: %v\n%s", verb, err, said)
	}
}

// say runs a command for the daemon, and returns what it prints.
func (d *runningDaemon) say(words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, program(d.t), append(d.args, words...)...).CombinedOutput()
	return string(said), err
}

// report reads the daemon's report from its control socket.
func (d *runningDaemon) report() *status.Report {
	d.t.Helper()
	o := d.options()
	text, err := o.socket().Ask(d.t.Context(), "/status")
	for end := time.Now().Add(awaitLimit); err != nil && time.Now().Before(end); { // a busy machine may be slow
		time.Sleep(100 * time.Millisecond)
		text, err = o.socket().Ask(d.t.Context(), "/status")
	}
	testkit.OK(d.t, err)
	r := testkit.Must(status.ReadReport(text))(d.t)
	return r
}

const twoServers = `virtual = 10.1.0.1:7000
	real = 10.2.0.1:7000 gate
	real = 10.2.0.2:7000 gate
	checktype = on
`

// Checks are made in time while clients send requests and never read, send nothing, or never end their request.
func TestClientsThatNeverReadStallNoChecks(t *testing.T) {
	addr := testkit.FreeAddr(t).String()
	var config strings.Builder
	fmt.Fprintf(&config, "listen = %s\ncheckinterval = 1\n", addr)
	for i := range 500 { // 400 kB of metrics: more than a socket takes
		fmt.Fprintf(&config, "virtual = 10.1.%d.%d:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n", i/250,
			i%250)
	}
	d := launched(t, "start", config.String())
	testkit.Fetch(t, "http://"+addr+"/healthz")
	o := d.options()
	come := func(network, addr, asks string) {
		t.Helper()
		c := testkit.Must(net.Dial(network, addr))(t)
		t.Cleanup(func() { c.Close() })
		if c, ok := c.(*net.TCPConn); ok {
			c.SetReadBuffer(1024)
		}
		io.WriteString(c, asks)
	}
	four := func() {
		for _, asks := range []string{"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "",
			"GET /metrics HTTP/1.1\r\nX: "} {
			come("tcp", addr, asks)
		}
		come("unix", string(o.socket()), "GET /status HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	for range 12 {
		four()
	}
	before := d.report()
	for end := time.Now().Add(awaitLimit); ; time.Sleep(time.Second) {
		four() // they come again each second: a check that they delay stays delayed
		after, stalled := d.report(), ""
		for i, v := range after.Virtuals {
			if v.Servers[0].Tally.Checks == before.Virtuals[i].Servers[0].Tally.Checks {
				stalled = v.ID + " is not checked"
			}
		}
		if after.Checks.Overdue > 1 {
			stalled = fmt.Sprintf("checks are late by %v s", after.Checks.Overdue)
		}
		if stalled == "" {
			break
		}
		if time.Now().After(end) {
			t.Fatal(stalled)
		}
	}
	code, text := testkit.Fetch(t, "http://"+addr+"/healthz") // others are answered
	testkit.Equal(t, fmt.Sprint(code, " ", text), "200 ok\n")
}
