package lab

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The counters in the metrics and in the status are those of ipvsadm --stats.
func TestKernelMetricsCountAsIpvsadmDoes(t *testing.T) {
	l := newLab(t)
	for _, ns := range []string{"rs1", "rs2"} {
		l.echo(ns, ":7000")
	}
	l.config(`checkinterval = 1
listen = 127.0.0.1:9797
virtual = 198.51.100.10:7000
        real = 192.0.2.21:7000 masq
        real = 192.0.2.22:7000 masq
        servicename = echo
        scheduler = rr
        checktype = connect
`)
	l.does("start")
	l.until(time.Second, "-r 192.0.2.21:7000 -m -w 1", "-r 192.0.2.22:7000 -m -w 1")
	for range 5 {
		l.dialThrough("192.0.2.21:7000").Close()
	}
	held := l.dialThrough("192.0.2.22:7000")
	defer held.Close()

	var missing string
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		shown := l.metrics()
		missing = ""
		for _, want := range append(l.statsAsMetrics(),
			`ldirectord_server_connections{virtual="tcp:198.51.100.10:7000",real="192.0.2.22:7000",`+
				`state="active"} 1`,
			`ldirectord_virtual_info{virtual="tcp:198.51.100.10:7000",servicename="echo"} 1`) {
			if !strings.Contains(shown, "\n"+want+"\n") {
				missing += want + "\n"
			}
		}
		if missing == "" {
			break
		}
	}
	if missing != "" {
		t.Errorf("ipvsadm shows\n%sand the metrics are\n%s", missing, l.metrics())
	}
	testkit.Contains(t, l.does("status", "--json"), `"bytes_out"`, "the status")
	l.does("stop")
}

// metrics is the answer to a scrape of the director at 127.0.0.1:9797.
func (l *lab) metrics() string {
	l.t.Helper()
	var text []byte
	l.in("dir", func() {
		c, err := net.Dial("tcp4", "127.0.0.1:9797")
		if err != nil {
			l.t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(c, "GET /metrics HTTP/1.0\r\n\r\n")
		if text, err = io.ReadAll(c); err != nil {
			l.t.Error(err)
		}
	})
	return string(text)
}

// statsAsMetrics are the lines that the metrics must have, by the output of ipvsadm.
func (l *lab) statsAsMetrics() (lines []string) {
	for line := range strings.Lines(l.ipvsadm("-Ln", "--stats", "--exact")) {
		words := strings.Fields(line)
		if len(words) != 7 || words[0] != "->" || !strings.Contains(words[1], ":7000") {
			continue
		}
		for i, name := range []string{`connections_total{%s}`, `packets_total{%s,direction="in"}`,
			`packets_total{%s,direction="out"}`, `bytes_total{%s,direction="in"}`,
			`bytes_total{%s,direction="out"}`} {
			labels := fmt.Sprintf(`virtual="tcp:198.51.100.10:7000",real=%q`, words[1])
			lines = append(lines, "ldirectord_server_"+fmt.Sprintf(name, labels)+" "+words[2+i])
		}
	}
	testkit.Equal(l.t, len(lines), 10, "lines of ipvsadm", lines)
	return lines
}
