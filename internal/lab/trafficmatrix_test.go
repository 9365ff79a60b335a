package lab

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// trafficRow is one line of the table in testdata/traffic.md.
type trafficRow struct{ what, method, family, by string }

// matrix are the ways of real packets through IPVS that the lab tries.
type matrix struct {
	lab    *lab
	rows   []trafficRow // in the order of the first trials
	failed map[trafficRow]bool
	last   int // the number of the last client that was used
}

// Clients send real packets through the kernel's table, which the daemon manages.
func TestKernelTraffic(t *testing.T) {
	m := &matrix{lab: newTrafficLab(t), failed: map[trafficRow]bool{}}
	was := m.lab.settings()
	addresses := m.lab.config(sections(everyWay, lanes...))
	m.lab.realServerScript(addresses, "start", 1, 2, 3)
	m.lab.realServerScript(addresses, "start", 1) // a second start changes nothing
	m.lab.realServerScript(addresses, "status", 1)

	ran := []bool{
		t.Run("forwarding", m.forwarding),
		t.Run("fallback server", m.sorryServer),
		t.Run("http and https, sh", m.httpAndHTTPSBySH),
		t.Run("http and https, persistent", m.httpAndHTTPSByPersistence),
		t.Run("http and telnet", m.httpAndTelnet),
		t.Run("PPC", m.perClientAndPort),
		t.Run("PCC", m.perClient),
		t.Run("netmask", m.perNetwork),
		t.Run("persistence ends", m.persistenceEnds),
		t.Run("persistence edited", m.persistenceEdited),
		t.Run("quiescent", m.persistentAndQuiescent),
		t.Run("ftp", m.ftp),
		t.Run("udp", m.datagrams),
		t.Run("release", m.rollingRelease),
		t.Run("ipip to gate", m.reroute),
		t.Run("limits", m.limits),
		t.Run("other networks", m.otherNetworks),
		t.Run("own server", m.ownServer),
	}

	m.lab.realServerScript(addresses, "stop", 1, 2, 3)
	testkit.Equal(t, m.lab.settings(), was, "stop of realserver-script leaves the settings")
	fmt.Print(m.table())
	if !slices.Contains(ran, false) {
		m.compare(t, "../../testdata/traffic.md")
	}
}

// clients are clients that the kernel has not seen yet: it remembers connections longer than their services. They
// begin at a network of eight.
func (m *matrix) clients(n int) (numbers []int) {
	first := (m.last + 8) &^ 7
	for i := range n {
		numbers = append(numbers, first+i)
	}
	m.last = first + n - 1
	return numbers
}

// row tries one line of the table, or a part of one.
func (m *matrix) row(t *testing.T, what string, w lane, by string, f func(t *testing.T)) {
	t.Helper()
	r := trafficRow{what, w.method, w.family, by}
	if !slices.Contains(m.rows, r) {
		m.rows = append(m.rows, r)
	}
	if !t.Run(strings.Join([]string{what, w.method, w.family, by}, ", "), f) {
		m.failed[r] = true
	}
}

// table has the rows in Markdown: what was tried, and by which kind of virtual service, for each method and family.
func (m *matrix) table() string {
	var b strings.Builder
	b.WriteString("| What |")
	for _, w := range columns {
		fmt.Fprintf(&b, " %s %s |", w.method, w.family)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	told := map[string]bool{}
	for _, r := range m.rows {
		if told[r.what] {
			continue
		}
		told[r.what] = true
		fmt.Fprintf(&b, "| %s |", r.what)
		for _, w := range columns {
			fmt.Fprintf(&b, " %s |", m.cell(trafficRow{r.what, w.method, w.family, ""}))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// columns are the methods and families of the table.
var columns = []trafficRow{
	{"", "DR", "IPv4", ""}, {"", "DR", "IPv6", ""}, {"", "NAT", "IPv4", ""}, {"", "NAT", "IPv6", ""},
	{"", "TUN", "IPv4", ""}, {"", "TUN", "IPv6", ""},
}

// cell has the kinds of virtual services that were tried, or the one that failed.
func (m *matrix) cell(r trafficRow) string {
	var tried []string
	for _, r.by = range []string{"address", "mark"} {
		switch {
		case m.failed[r]:
			return r.by + " FAILS"
		case slices.Contains(m.rows, r):
			tried = append(tried, r.by)
		}
	}
	switch len(tried) {
	case 0:
		return "–"
	case 1:
		return tried[0]
	}
	return "both"
}

func (m *matrix) compare(t *testing.T, file string) {
	t.Helper()
	text := testkit.Read(t, file)
	testkit.Contains(t, text, m.table(), file)
}
