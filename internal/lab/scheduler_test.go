package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// schedulers are the schedulers of Linux with their flags, as the table shows them.
var schedulers = strings.Fields(`rr wrr lc wlc lblc lblcr dh sed nq fo ovf twos
	sh sh:sh-fallback sh:sh-port sh:sh-fallback,sh-port
	mh mh:mh-fallback mh:mh-port mh:mh-fallback,mh-port`)

// Each scheduler's module is loaded when a virtual service needs it, and its flags are set.
func TestKernelSchedulers(t *testing.T) {
	l := newLabOf(t, 0)
	var config strings.Builder
	for i, s := range schedulers {
		name, flags, _ := strings.Cut(s, ":")
		fmt.Fprintf(&config, "virtual = 192.0.2.10:%d\n    real = 192.0.2.21:80 masq\n    checktype = on\n"+
			"    scheduler = %s\n", 1001+i, name)
		if flags != "" {
			fmt.Fprintf(&config, "    schedflags = %s\n", flags)
		}
	}
	l.config(config.String())
	checked := l.does("check")
	var lines []string
	var refused []string
	for i, s := range schedulers {
		name, flags, _ := strings.Cut(s, ":")
		line := fmt.Sprintf("-A -t 192.0.2.10:%d -s %s", 1001+i, name)
		if flags != "" {
			line += " -b " + flags
		}
		if strings.Contains(checked, "no module ip_vs_"+name+":") {
			t.Logf("this kernel has no %s", name)
			line = "no " + line
			refused = append(refused, fmt.Sprintf("Table change failed: 192.0.2.10:%d", 1001+i))
		}
		lines = append(lines, line+"\n")
	}
	l.does("start")
	l.until(5*time.Second, lines...)
	for _, text := range refused { // logged after the changes that succeeded
		l.saysWithin(5*time.Second, text)
	}
	testkit.Equal(t, strings.Count(l.logText(), "failed"), len(refused), "failures in the log")
	l.does("stop")
	testkit.Equal(t, l.table(), "", "stop leaves")
}
