package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

const (
	bridgeArgs = "BRIDGE_ARGS"    // the arguments of a bridge that the test starts
	realLimit  = 20 * time.Second // for each change to show
)

// TestRealAlertmanager runs a daemon with two servers, the bridge and Alertmanager. A server that is down is an alert
// there, which is resolved when the server is up again.
func TestRealAlertmanager(t *testing.T) {
	if args := os.Getenv(bridgeArgs); args != "" {
		os.Args = append(os.Args[:1], strings.Fields(args)...)
		main()
		return
	}
	if os.Getenv("REAL_TESTS") == "" || os.Getenv("LDIRECTORD") == "" {
		t.Skip("needs a real server: make test-all")
	}
	l := newLine(t, testkit.Program(t, "prometheus-alertmanager", "prometheus-alertmanager"))
	const dead, unavailable = `LdirectordServerDown "127.1.2.%d:%s"`, `LdirectordServiceUnavailable ""`
	first, second := fmt.Sprintf(dead, 21, l.port), fmt.Sprintf(dead, 22, l.port)
	l.await()
	began := time.Now()
	l.say("127.1.2.21", "<broken>")
	l.await(first)
	l.say("127.1.2.22", "<broken>")
	l.await(first, second, unavailable)
	for _, a := range l.active() {
		if a.Labels["virtual"] != "tcp:192.0.2.10:80" || a.Labels["instance"] != "lvs1" {
			t.Errorf("labels %v", a.Labels)
		}
		if a.StartsAt.Before(began) || a.StartsAt.After(time.Now()) {
			t.Errorf("%v began at %v, it is %v", a.Labels, a.StartsAt, time.Now())
		}
		if a.Labels["real"] != "" && !strings.Contains(a.Annotations["description"], `"<broken>"`) {
			t.Errorf("%v: %v", a.Labels, a.Annotations)
		}
	}
	if a := l.active(); !a[0].StartsAt.Before(a[1].StartsAt) {
		t.Errorf("what began first: %v", a)
	}

	l.awaitTold("firing "+first, "firing "+second, "firing "+unavailable) // before they end: group_wait
	l.say("127.1.2.21", "ready")
	l.await(second)
	l.awaitTold("resolved "+first, "resolved "+unavailable)
	l.stopBridge() // servers that are down while a bridge starts stay known
	stopped := time.Now()
	l.startBridge()
	for l.active()[0].UpdatedAt.Before(stopped) && time.Since(stopped) < realLimit {
		time.Sleep(50 * time.Millisecond)
	}
	if a := l.active()[0]; a.UpdatedAt.Before(stopped) || !a.StartsAt.Before(stopped) {
		t.Errorf("not told again: %+v", a)
	}
	l.say("127.1.2.22", "ready")
	l.await()
	l.awaitTold("resolved " + second)
}

// line is servers, a daemon that checks them, the bridge, Alertmanager, and the receiver of its notifications.
type line struct {
	t                     *testing.T
	dir, port, at, bridge string
	stopBridge            func()

	mu   sync.Mutex // guards what follows
	says map[string]string
	told []string
}

func newLine(t *testing.T, alertmanager string) *line {
	l := &line{t: t, dir: t.TempDir(), at: testkit.FreeAddr(t).String(), bridge: testkit.FreeAddr(t).String(),
		says: map[string]string{}}
	servers := testkit.Must(net.Listen("tcp4", "0.0.0.0:0"))(t)
	web := &http.Server{Handler: l}
	go web.Serve(servers)
	t.Cleanup(func() { web.Close() })
	_, l.port, _ = net.SplitHostPort(servers.Addr().String())
	receiver := httptest.NewServer(http.HandlerFunc(l.listen))
	t.Cleanup(receiver.Close)

	testkit.Write(t, filepath.Join(l.dir, "alertmanager.yml"), `
route: {receiver: test, group_by: ['...'], group_wait: 1s, group_interval: 1s}
receivers: [{name: test, webhook_configs: [{url: '`+receiver.URL+`', send_resolved: true}]}]
`)
	l.run(exec.Command(alertmanager, "--config.file="+l.dir+"/alertmanager.yml", "--storage.path="+l.dir+"/data",
		"--web.listen-address="+l.at, "--cluster.listen-address="))
	l.startBridge()
	testkit.Write(t, filepath.Join(l.dir, "www.cf"), `
checkinterval = 1
webhook = http://`+l.bridge+`/
logfile = "`+l.dir+`/log"
virtual = 192.0.2.10:80
	real = 127.1.2.21->127.1.2.22:`+l.port+` masq
	service = http
	request = "/"
	receive = "ready"
`)
	l.tell("start")
	t.Cleanup(func() { l.tell("stop") })
	return l
}

// run starts a program. It ends with the test, or when the returned function is called.
func (l *line) run(cmd *exec.Cmd) (end func()) {
	l.t.Helper()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	testkit.OK(l.t, cmd.Start())
	end = sync.OnceFunc(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if l.t.Failed() {
			l.t.Logf("%s: %s", cmd.Args[0], said.String())
		}
	})
	l.t.Cleanup(end)
	return end
}

func (l *line) startBridge() {
	cmd := exec.Command(os.Args[0], "-test.run=^TestRealAlertmanager$")
	cmd.Env = append(os.Environ(), bridgeArgs+"=-listen "+l.bridge+" -alertmanager http://"+l.at+" -instance lvs1")
	l.stopBridge = l.run(cmd)
}

// tell gives the daemon an order.
func (l *line) tell(order string) {
	ctx, cancel := context.WithTimeout(context.Background(), realLimit)
	defer cancel()
	testkit.Run(l.t, exec.CommandContext(ctx, os.Getenv("LDIRECTORD"), "--rundir", l.dir, "--ipvs", "memory",
		l.dir+"/www.cf", order))
}

// say sets what the server at an address answers from now on.
func (l *line) say(addr, words string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.says[addr] = words
}

func (l *line) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addr, _, _ := net.SplitHostPort(r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
	l.mu.Lock()
	words := l.says[addr]
	l.mu.Unlock()
	if words == "" {
		words = "ready"
	}
	fmt.Fprint(w, words)
}

// realAlert is an alert, as Alertmanager lists it and as it notifies of it.
type realAlert struct {
	Status              any
	Labels, Annotations map[string]string
	StartsAt, UpdatedAt time.Time
}

func (a realAlert) String() string {
	return fmt.Sprintf("%s %q", a.Labels["alertname"], a.Labels["real"])
}

// listen receives Alertmanager's notifications.
func (l *line) listen(_ http.ResponseWriter, r *http.Request) {
	var message struct{ Alerts []realAlert }
	if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
		l.t.Error(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range message.Alerts {
		l.told = append(l.told, fmt.Sprintf("%v %v", a.Status, a))
	}
}

// active are the firing alerts, the oldest first. It is nil if Alertmanager does not answer.
func (l *line) active() (found []realAlert) {
	answer, err := http.Get("http://" + l.at + "/api/v2/alerts")
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil {
		return nil
	}
	slices.SortFunc(found, func(a, b realAlert) int { return a.StartsAt.Compare(b.StartsAt) })
	return found
}

// await waits until these alerts fire, and no others.
func (l *line) await(want ...string) {
	l.t.Helper()
	slices.Sort(want)
	var got []string
	testkit.Until(l.t, realLimit, func() bool {
		got = nil
		found := l.active()
		for _, a := range found {
			got = append(got, a.String())
		}
		slices.Sort(got)
		return found != nil && slices.Equal(got, want)
	}, func() string { return fmt.Sprintf("alerts %q, want %q", got, want) })
}

// awaitTold waits until all these notifications have come.
func (l *line) awaitTold(want ...string) {
	l.t.Helper()
	var got []string
	testkit.Until(l.t, realLimit, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		got = slices.Clone(l.told)
		return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(got, w) })
	}, func() string { return fmt.Sprintf("told %q, want %q", got, want) })
}
