package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// http and https share a mark, and port 443 of one of three servers fails for ten seconds. With alsocheck the server
// is out within one check. Without it every third connection to port 443 fails.
func TestKernelLongGroup(t *testing.T) {
	onlyLong(t)
	var out strings.Builder
	out.WriteString("\n| alsocheck | https failed | http failed | seconds until it is out | in again |\n" +
		"|---|---|---|---|---|\n")
	for _, also := range []string{"", "        alsocheck = https 443 \"check\" \"OK\"\n"} {
		t.Run(fmt.Sprint(also != ""), func(t *testing.T) {
			fmt.Fprintf(&out, "| %v | %s |\n", also != "", newGroup(t, also).play())
		})
	}
	t.Log(out.String())
}

// group is a mark for two ports, three servers, and clients of both ports.
type group struct {
	*leavingLab
	also        string
	secure      *web // port 443 of rs1
	http, https []*questioner
}

func newGroup(t *testing.T, also string) *group {
	g := &group{leavingLab: &leavingLab{lab: newLab(t)}, also: also}
	for _, ns := range three {
		g.web(ns)
		if w := g.webOn(ns, "443"); ns == "rs1" {
			g.secure = w
		}
	}
	g.config(`checkinterval = 1
checktimeout = 2
negotiatetimeout = 2
virtual = 3
        mark = ` + drVIP + ` tcp 80,443
        real = 192.0.2.21:80 gate
        real = 192.0.2.22:80 gate
        real = 192.0.2.23:80 gate
        scheduler = rr
        service = http
        request = "check"
        receive = "OK"
` + also)
	g.does("start")
	g.until(bound, "-f 3 -r 192.0.2.21:80", "-f 3 -r 192.0.2.22:80", "-f 3 -r 192.0.2.23:80")
	g.within(3*time.Second, "--dports 80,443")
	g.http, g.https = g.crowd("http", "80"), g.crowd("https", "443")
	return g
}

// crowd are clients of one port, each with four requests a second.
func (g *group) crowd(scheme, port string) (clients []*questioner) {
	for range 8 {
		clients = append(clients, g.asks(250*time.Millisecond, func() (string, error) {
			answer := getFrom(leavingClient, scheme+"://"+drVIP+":"+port+"/")
			if !strings.HasPrefix(answer, "rs") {
				return "", fmt.Errorf("%s", answer)
			}
			return answer, nil
		}))
	}
	return clients
}

// play stops port 443 of rs1 for ten seconds, and checks what the clients saw. It returns a row of the table.
func (g *group) play() string {
	g.t.Helper()
	time.Sleep(time.Second)
	from := time.Now()
	g.secure.stop()
	out, in := "never", ""
	seen := time.Now().Add(time.Hour)
	if g.also != "" {
		out = seconds(g.untilFrom(from, bound, "no -f 3 -r 192.0.2.21:80"))
		seen = time.Now()
		g.saysWithin(time.Second, "Check failed: 192.0.2.21:80 (fwm:3): https 443: ")
	}
	time.Sleep(time.Until(from.Add(10 * time.Second)))
	if g.also == "" && unlike(g.table(), []string{"-f 3 -r 192.0.2.21:80"}) != "" {
		g.t.Error("the server is out without alsocheck")
	}
	healed := time.Now()
	g.secure.start()
	if g.also != "" {
		in = seconds(g.untilFrom(healed, bound, "-f 3 -r 192.0.2.21:80"))
	}
	time.Sleep(time.Second)
	lost, of, late, _ := g.requestsOf(g.https, seen, healed)
	plainLost, plainOf, _, cut := g.requestsOf(g.http, seen, healed)
	if late > 0 || g.also == "" && lost == 0 || plainLost > cut { // alsocheck may act before the next request
		g.t.Errorf("%d of %d https requests failed, %d of them after the server was out, and %d of %d http",
			lost, of, late, plainLost, plainOf)
	}
	g.does("stop")
	return fmt.Sprintf("%d of %d | %d of %d | %s | %s", lost, of, plainLost, plainOf, out, in)
}

// requestsOf counts the requests of clients: all, those that failed, those of them that began between two times, and
// those of them under way at the first time, because the kernel cuts them when a server is removed.
func (g *group) requestsOf(clients []*questioner, from, until time.Time) (lost, of, late, cut int) {
	const moment = 200 * time.Millisecond // for an answer, and to see a removal
	for _, c := range clients {
		for _, a := range c.end() {
			of++
			if a.failure == "" || g.idle.since(a.at)-g.idle.since(a.end) > maxAway { // or it stood still
				continue
			}
			lost++
			switch {
			case a.at.After(from) && a.at.Before(until):
				late++
			case a.at.Before(from) && a.at.After(from.Add(-moment)):
				cut++
			}
		}
	}
	return lost, of, late, cut
}
