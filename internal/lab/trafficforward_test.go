package lab

import "testing"

// everyWay has all methods in both families, by address (port 80) and by mark (port 8080).
const everyWay = `
VIRTUAL = ADDRESS:80
        REALS:80
        service = http
        receive = "OK"
        scheduler = rr
VIRTUAL = MARK
        mark = VIP tcp 8080
        REALS
        service = http
        checkport = 8080
        receive = "OK"
        scheduler = rr
`

// Each method, in both families, by address and by mark. Traffic goes to all three servers, but not to one that fails.
// It goes to the fallback server while all are down, and no longer when one is back.
func (m *matrix) forwarding(t *testing.T) {
	l := m.lab.with(t)
	rs1, rs2, rs3 := l.webOn("rs1", "80", "8080"), l.webOn("rs2", "80", "8080"), l.webOn("rs3", "80", "8080")
	l.webOn("dir", "80", "8080")
	l.start("quiescent = no\nfallback = 127.0.0.1 gate\nfallback6 = [::1] gate\n" + sections(everyWay, lanes...))
	const (
		failover = "traffic goes to all servers, and past one that fails"
		sorry    = "the fallback server answers while all are down"
	)
	for _, step := range []struct {
		what    string
		do      func()
		servers int      // number of servers in the table
		gone    []string // no longer in the table
		answers []string
	}{
		{failover, func() {}, 3 * 12, nil, []string{"rs1", "rs2", "rs3"}},
		{failover, rs1.stop, 2 * 12, []string{"-r 192.0.2.21", "-r [2001:db8:1::21]"}, []string{"rs2", "rs3"}},
		{sorry, func() { rs2.stop(); rs3.stop() }, 12, []string{"-r 192.0.2.2", "-r [2001:db8:1::2"},
			[]string{"dir"}},
		{sorry, rs2.start, 12, []string{"-r 127.0.0.1", "-r [::1]"}, []string{"rs2"}},
	} {
		step.do()
		l.untilServers(step.servers, step.gone...)
		for _, w := range lanes {
			for _, by := range []struct{ what, port string }{{"address", "80"}, {"mark", "8080"}} {
				m.row(t, step.what, w, by.what, func(t *testing.T) {
					answers := l.with(t).getEach(w, m.clients(1), 2*len(step.answers),
						w.url("http", by.port))
					answeredBy(t, answers[0], step.answers...)
				})
			}
		}
	}
}

// A persistent client goes to the fallback server at each port of its mark, and doesn't stay there.
func (m *matrix) sorryServer(t *testing.T) {
	l := m.lab.with(t)
	webs := l.webs("80", "443")
	l.webOn("dir", "80", "443")
	l.start(l.example("fallback.cf"))
	l.untilServers(3, "-r 127.0.0.1")
	m.row(t, "a persistent client meets the fallback server, and leaves it", dr4, "mark", func(t *testing.T) {
		l, client := l.with(t), m.clients(1)
		ask := func() map[string]int {
			return l.getEach(dr4, client, 2, dr4.url("http", "80"), dr4.url("https", "443"))[0]
		}
		if before := ask(); len(before) != 1 || before["dir"] != 0 {
			t.Errorf("answers of %v, want one server's alone", before)
		}
		for _, w := range webs {
			w.stop()
		}
		l.untilServers(1, "-r 192.0.2.2")
		answeredBy(t, ask(), "dir")
		webs[2].start()
		l.untilServers(1, "-r 127.0.0.1")
		answeredBy(t, ask(), "rs3")
	})
}
