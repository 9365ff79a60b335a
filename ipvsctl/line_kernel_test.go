package ipvsctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/testkit"
)

// loseAnswers has the kernel's answers to this process's netlink sockets dropped, and returns the number of sockets.
func loseAnswers(t *testing.T) (sockets int) {
	t.Helper()
	fds := testkit.Must(os.ReadDir("/proc/self/fd"))(t)
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	for _, entry := range fds {
		var fd int
		fmt.Sscan(entry.Name(), &fd)
		domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil || domain != unix.AF_NETLINK {
			continue
		}
		program := &unix.SockFprog{Len: 1, Filter: &nothing[0]}
		testkit.OK(t, unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, program))
		sockets++
	}
	return sockets
}

// After a lost answer moby/ipvs would wait forever.
func TestKernelLostAnswerIsAnErrorAndTheNextRequestGetsThrough(t *testing.T) {
	needsIPVS(t)
	namespace(t)
	k := newKernel()
	defer k.Close()
	apply(t, k)
	for what, ask := range map[string]func() error{
		"service": func() error { return k.Do(t.Context(), parseOp(t, "-A -f 1 -s rr"))[0] },
		"destination": func() error {
			return k.Do(t.Context(),
				parseOp(t, "-a -f 1 -r 10.2.0.1:0 -g -w 1"))[0]
		},
		"table": func() error { _, err := k.Read(t.Context()); return err },
	} {
		n := loseAnswers(t)
		// one of an earlier test may still close
		for end := time.Now().Add(3 * time.Second); n != 2; n = loseAnswers(t) {
			if time.Now().After(end) {
				t.Fatalf("%d sockets are open, want 2", n)
			}
			time.Sleep(10 * time.Millisecond)
		}
		const short = 300 * time.Millisecond // for the lost answer only: a real one may take longer
		k.timeout, k.conn.genl.timeout = short, short
		start := time.Now()
		err := ask()
		k.timeout = 0
		if !errors.Is(err, errNoAnswer) || time.Since(start) > 3*time.Second {
			t.Errorf("%s: %v after %v", what, err, time.Since(start))
		}
		apply(t, k, parseOps(t, "-A -f 1 -s rr", "-a -f 1 -r 10.2.0.1:0 -g -w 1")...)
	}
}

func TestKernelReadEndsWithItsContext(t *testing.T) {
	k := ownKernel(t)
	loseAnswers(t)
	ctx := testkit.Within(t, 100*time.Millisecond)
	testkit.Is(t, testkit.Error(k.Read(ctx)), context.DeadlineExceeded)
}

// Two goroutines that use one handle of moby/ipvs take each other's answers and wait forever.
func TestKernelMayBeSharedByGoroutines(t *testing.T) {
	k := ownKernel(t)
	apply(t, k, parseOp(t, "-A -f 1 -s rr"))
	var users sync.WaitGroup
	for n := range 4 {
		users.Go(func() {
			add := parseOp(t, fmt.Sprintf("-a -f 1 -r 10.2.0.%d:0 -g -w 1", n))
			edit := parseOp(t, "-E -f 1 -s rr")
			for range 200 {
				_, err := k.Read(t.Context())
				if err := errors.Join(append(k.Do(t.Context(), add, edit), err)...); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	users.Wait()
	testkit.Equal(t, len(apply(t, k)[parseOp(t, "-D -f 1").Key].Dests), 4, "destinations")
}

func TestKernelWithoutRightsIsAnErrorThatSaysSo(t *testing.T) {
	needsIPVS(t)
	namespace(t)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	none := [2]unix.CapUserData{}
	testkit.OK(t, unix.Capset(&header, &none[0])) // for this thread only
	err := newKernel().Connect(t.Context())
	if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("%v", err)
	}
}

func TestKernelOpenLeavesNoSocketBehind(t *testing.T) {
	needsIPVS(t)
	namespace(t)
	before := testkit.Descriptors()
	for range 3 {
		k := newKernel()
		testkit.OK(t, k.Connect(t.Context()))
		apply(t, k)
		k.Close()
	}
	testkit.Equal(t, testkit.Descriptors(), before, "files are open")
}
