package protocol

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/testkit"
)

// scriptedAgent sends the same line at two addresses, and counts the clients of each.
type scriptedAgent struct {
	at   [2]netip.AddrPort
	mu   sync.Mutex // guards what follows
	says string
	came [2]int
}

func newScriptedAgent(t *testing.T) *scriptedAgent {
	t.Helper()
	a := &scriptedAgent{says: "ready up 100%\n"}
	for i := range a.at {
		l := testkit.Listen(t)
		a.at[i] = testkit.AddrOf(l)
		testkit.Serve(t, l, func(c net.Conn) {
			a.mu.Lock()
			a.came[i]++
			says := a.says
			a.mu.Unlock()
			io.WriteString(c, says)
		})
	}
	return a
}

// say sets the line that the agent sends, and waits until the client of the first address has used it, that is, has
// asked two more times.
func (a *scriptedAgent) say(t *testing.T, line string) {
	t.Helper()
	a.mu.Lock()
	a.says = line
	until := a.came[0] + 3 // a client that was accepted before may still be served
	a.mu.Unlock()
	for end := time.Now().Add(realStart); ; time.Sleep(2 * time.Millisecond) {
		a.mu.Lock()
		came := a.came[0]
		a.mu.Unlock()
		switch {
		case came >= until:
			return
		case time.Now().After(end):
			t.Fatalf("%q is not asked for", line)
		}
	}
}

// haproxy is the path of a running HAProxy's control socket.
type haproxy string

func (h haproxy) ask(ctx context.Context, order string) (string, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", string(h))
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(realStop))
	if _, err := io.WriteString(c, order+"\n"); err != nil {
		return "", err
	}
	text, err := io.ReadAll(c)
	return string(text), err
}

// tells is the state of HAProxy's server: weight, maintenance or drain, and down. A weight above the configured one
// is shown as 100%. HAProxy doesn't show whether a server in maintenance is down.
func (h haproxy) tells(t *testing.T) string {
	t.Helper()
	text, err := h.ask(t.Context(), "show servers state")
	lines := strings.Split(text, "\n")
	if err != nil || len(lines) < 3 {
		t.Fatalf("%q: %v", text, err)
	}
	names, values, now := strings.Fields(strings.TrimPrefix(lines[1], "#")), strings.Fields(lines[2]),
		map[string]int{}
	for i, name := range names {
		now[name], _ = strconv.Atoi(values[i])
	}
	words := health.Words{Less: uint8(max(100-now["srv_uweight"], 0)), Down: now["srv_op_state"] == 0}
	switch now["srv_admin_state"] {
	case 1: // SRV_ADMF_FMAINT
		words.Admin = health.Maint
	case 8: // SRV_ADMF_FDRAIN
		words.Admin = health.Drain
	}
	return inWords(words)
}

func inWords(w health.Words) string {
	return fmt.Sprintf("%d%% %v %v", w.Percent(), w.Admin,
		map[bool]string{true: "down"}[w.Down && w.Admin != health.Maint])
}

// Debian's HAProxy and this program ask the same agent. The same words must have the same effect, in each order.
// Lines that belong together are separated by |. Before the first one the agent has sent ready, up and 100%.
func TestRealHAProxyAgent(t *testing.T) {
	path := needProgram(t, "haproxy", "haproxy")
	agent, dir := newScriptedAgent(t), serverDir(t)
	h := haproxy(filepath.Join(dir, "orders"))
	config := writeFile(t, dir, "haproxy.cfg", fmt.Sprintf(`
global
	stats socket %s level admin
defaults
	mode tcp
	timeout connect 5s
	timeout client 5s
	timeout server 5s
	timeout check 5s
listen one
	bind 127.0.0.1:%d
	balance roundrobin
	server a 127.0.0.1:9 weight 100 agent-check agent-port %d agent-inter 5ms
`, h, freePort(t), agent.at[0].Port()))
	realServer{path: path, args: []string{"-db", "-f", config}, ready: func(ctx context.Context) error {
		_, err := h.ask(ctx, "show servers state")
		return err
	}}.start(t)
	ours := build(t, agentSpec(agent.at[1]), nil)
	var words, scripts []string
	for _, row := range testkit.Table(t, "../../testdata/checker/agentwords.txt", 2) {
		if row[0] == "pairs of" {
			words = append(words, row[1])
		} else {
			scripts = append(scripts, bare(t, row[0]))
		}
	}
	for _, first := range words {
		for _, second := range words {
			if first != second {
				scripts = append(scripts, first+"|"+second)
			}
		}
	}
	for _, script := range scripts {
		var telling health.Telling
		tell := func(line string) (got, want string) {
			agent.say(t, line+"\n")
			r := ours.Check(t.Context())
			r.Silence()
			telling = telling.Next(r.Report, health.Rule{Fall: 1, Rise: 1})
			return inWords(telling.Words), h.tells(t)
		}
		if got, want := tell("ready up 100%"); got != want {
			t.Fatalf("%s begins with %s, HAProxy with %s", script, got, want)
		}
		for _, line := range strings.Split(script, "|") {
			if got, want := tell(line); got != want {
				t.Errorf("%q: after %q %s, by HAProxy %s", script, line, got, want)
			}
		}
	}
	for _, cut := range []string{"50%", "drain", "down"} { // the newline is missing
		agent.say(t, "ready up 100%\n")
		agent.say(t, cut)
		r := ours.Check(t.Context())
		if got := h.tells(t); !r.Report.Silent || got != "100%  " {
			t.Errorf("%q: %+v, by HAProxy %s", cut, r, got)
		}
	}
}
