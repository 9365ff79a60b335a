package ipvsctl

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// needsIPVS skips a test where IPVS can't be used. When the test was asked for by name, that is a failure.
func needsIPVS(t testing.TB) {
	t.Helper()
	_, err := os.Stat("/proc/net/ip_vs")
	switch {
	case err == nil && os.Geteuid() == 0:
	case os.Getenv("IPVS_TESTS") == "required":
		t.Fatal("this test needs root and a kernel with IPVS")
	default:
		t.Skip("needs root and a kernel with IPVS: make test-kernel")
	}
}

// namespace moves the test's goroutine, and the programs it starts, into a network namespace of their own with an
// empty table. Its thread ends with the test.
func namespace(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	testkit.OK(t, syscall.Unshare(syscall.CLONE_NEWNET), "unshare")
	run(t, "ip", "link", "set", "lo", "up")
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	return testkit.Run(t, exec.CommandContext(t.Context(), name, args...))
}

func openKernel(t testing.TB) *kernel {
	t.Helper()
	k := newKernel()
	testkit.OK(t, k.Connect(t.Context()))
	t.Cleanup(func() {
		defer k.Close()
		ctx := context.Background() // t.Context() has ended
		table, err := k.Read(ctx)
		results := k.Do(ctx, removal(table)...) // until the namespace is gone its services keep ip_vs loaded
		if err := errors.Join(append(results, err)...); err != nil {
			t.Logf("emptying the table: %v", err)
		}
	})
	return k
}

// ownKernel is the table of a namespace of its own, if there is IPVS here.
func ownKernel(t testing.TB) *kernel {
	t.Helper()
	needsIPVS(t)
	namespace(t)
	return openKernel(t)
}

// removal is the changes that remove all services of a table.
func removal(t lvs.Table) (ops []lvs.Op) {
	for _, key := range t.Keys() {
		ops = append(ops, lvs.Op{Kind: lvs.DelService, Key: key})
	}
	return ops
}

func TestKernelKeepsTheContract(t *testing.T) {
	needsIPVS(t)
	testContract(t, func(t *testing.T) Client {
		namespace(t)
		return openKernel(t)
	})
}

// TestKernelAgreesWithIpvsadm makes every setting that both clients can make, and compares with the table as ipvsadm
// shows it.
func TestKernelAgreesWithIpvsadm(t *testing.T) {
	needsIPVS(t)
	if _, err := exec.LookPath("ipvsadm"); err != nil {
		t.Skip("needs ipvsadm")
	}
	for _, c := range contract(t) {
		t.Run(c.name, func(t *testing.T) {
			if c.err != nil {
				return
			}
			namespace(t)
			table := apply(t, openKernel(t), parseOps(t, append(slices.Clip(c.before), c.op)...)...)
			testkit.Equal(t, withoutThresholds(lvs.Format(table)), ipvsadm(t), "as ipvsadm shows it")
		})
	}
}

// ipvsadm is the output of ipvsadm, without the tunnel type that it prints for every tunnel, and with the largest
// mark, which it prints wrongly.
func ipvsadm(t testing.TB) string {
	t.Helper()
	out := run(t, "ipvsadm", "-Sn")
	out = strings.ReplaceAll(out, " --tun-type ipip", "")
	return strings.ReplaceAll(out, "-f -1", "-f 4294967295")
}

// withoutThresholds is a table's text without what "ipvsadm -Sn" leaves out.
func withoutThresholds(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		for i := 0; i < len(words); i++ {
			if words[i] == "-x" || words[i] == "-y" {
				words = slices.Delete(words, i, i+2)
				i--
			}
		}
		b.WriteString(strings.Join(words, " ") + "\n")
	}
	return b.String()
}

func TestKernelWithoutAModuleSaysWhichOne(t *testing.T) {
	k := ownKernel(t)
	for line, want := range map[string]string{
		"-A -f 2 -s wombat":            "the kernel lacks module ip_vs_wombat",
		"-A -f 2 -s rr -p 9 --pe nope": "the kernel lacks module ip_vs_pe_nope",
	} {
		testkit.FailsWith(t, k.Do(t.Context(), parseOp(t, line))[0], "("+want+")", line)
	}
}
