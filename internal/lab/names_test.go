package lab

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/nameserver"
)

// The answers for a name are exchanged under traffic: whole ones, and between them failures, refusals, answers without
// an address, cut ones and none, also while the daemon is killed. No request fails, and no server has a weight that no
// whole answer has named lately.
func TestKernelNames(t *testing.T) {
	w := newNames(t)
	w.underTraffic(func() {
		random := rand.New(rand.NewPCG(1, 2))
		for n, trouble := range []string{"fails", "refuses", "none", "", "cutoff", "half", "refers", "silent",
			"killed"} {
			w.answers(random.Perm(len(w.all))[:2+n%3])
			w.answersNot(trouble)
		}
		w.answers([]int{0, 2})
		w.untilWeights(0, 2)
	})
	for _, trouble := range []string{"server misbehaving", "it has no server", "i/o timeout"} {
		testkit.Contains(t, w.logText(), "List web (IPv4) is not used: "+trouble)
	}
}

// namesLab is the lab with a virtual service whose servers are the addresses of a name.
type namesLab struct {
	namedLab
	said atomic.Pointer[nameAnswers]
}

// nameAnswers are what the name server of the director says, in the words of nameserver.Serve, for the name in the
// first search domain and in the second one.
type nameAnswers struct{ first, second string }

func newNames(t *testing.T) *namesLab {
	w := &namesLab{namedLab: newNamed(t)}
	w.in("dir", func() {
		packets, err := net.ListenPacket("udp", "127.0.0.1:53")
		streams, fault := net.Listen("tcp", "127.0.0.1:53")
		testkit.OK(t, errors.Join(err, fault))
		nameserver.Serve(t, packets, streams, func(name string) string {
			switch said := w.said.Load(); name {
			case "web.first.test.":
				return said.first
			case "web.second.test.":
				return said.second
			}
			return "none"
		})
	})
	resolver, exe := filepath.Join(w.dir, "resolv.conf"), filepath.Join(w.dir, "ldirectord")
	testkit.Write(t, resolver, "nameserver 127.0.0.1\nsearch first.test second.test\n"+
		"options timeout:1 attempts:1\n")
	testkit.Write(t, exe, "#!/bin/sh\nmount --bind "+resolver+" /etc/resolv.conf && exec "+program(t)+" \"$@\"\n")
	testkit.OK(t, os.Chmod(exe, 0o755))
	w.exe = exe // ip netns exec gives it a mount namespace
	t.Setenv("STATE_DIRECTORY", filepath.Join(w.dir, "state"))
	w.answers([]int{0, 1, 2, 3})
	w.path = w.config("checkinterval = 1\nresolve = 1\nvirtual = " + natVIP +
		":80\n\trealnames = web:80 masq 10\n" +
		"\tdraintime = 3\n\tservice = http\n\trequest = \"check\"\n\treceive = \"OK\"\n")
	w.run(exitOK, w.path, "start")
	t.Cleanup(func() { w.run(exitOK, w.path, "stop") })
	w.untilWeights(0, 1, 2, 3)
	return w
}

// answers gives the name the addresses of these servers, and waits until they have their weight.
func (w *namesLab) answers(servers []int) {
	addresses := strings.ReplaceAll(strings.Join(w.name(servers), " "), ":80", "")
	w.said.Store(&nameAnswers{addresses, "none"})
	if w.pid() != 0 {
		w.untilWeights(servers...)
	}
}

// answersNot gives no good answer for a while, but tells the address of a server that passes its check. Where it is not
// known whether the first domain has the name, that server is in the second one.
func (w *namesLab) answersNot(how string) {
	said := &nameAnswers{how + " " + nobody, nobody}
	switch how {
	case "":
		said = &nameAnswers{"", "none"}
	case "none":
		said.second = "none"
	case "killed":
		said.first = "silent"
	}
	w.said.Store(said)
	if how == "killed" {
		w.kill()
		w.run(exitOK, w.path, "start")
	}
	time.Sleep(2500 * time.Millisecond)
}
