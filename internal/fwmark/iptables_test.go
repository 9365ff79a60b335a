package fwmark

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// script is a shell script that runs instead of iptables.
func script(t *testing.T, text string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "iptables")
	testkit.Script(t, program, "#!/bin/sh\n"+text)
	return program
}

const version = "[ \"$1\" != --version ] || { echo 'iptables v1.8.9 (nf_tables)'; exit; }\n"

// Every run of iptables waits for the lock for a limited time.
func TestCommandsOfIptables(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	x := &xtables{program: script(t, version+`echo "$*" >>`+log)}
	testkit.OK(t, testkit.Error(x.list(t.Context(), false)))
	f := family{prefix: "LDIRECTORD-x-", tables: x}
	table := listing{prerouting: {"-j LDIRECTORD-x-1"}, "LDIRECTORD-x-1": nil}
	now := readState(table, "LDIRECTORD-x-")
	testkit.OK(t, testkit.Error(f.run(t.Context(), now.changes([]string{"-d 192.0.2.1/32 -j MARK --set-mark 8"}))))
	got := testkit.Must(os.ReadFile(log))(t)
	want := `-w 5 -t mangle -S
-t mangle -N LDIRECTORD-x-2 --wait 5
-t mangle -A LDIRECTORD-x-2 -d 192.0.2.1/32 -j MARK --set-mark 8 --wait 5
-t mangle -I PREROUTING 2 -j LDIRECTORD-x-2 --wait 5
-t mangle -D PREROUTING -j LDIRECTORD-x-1 --wait 5
-t mangle -S LDIRECTORD-x-1 1 --wait 5
-t mangle -F LDIRECTORD-x-1 --wait 5
-t mangle -X LDIRECTORD-x-1 --wait 5
`
	testkit.Equal(t, string(got), want, "ran")
}

func TestMissingProgramMattersOnlyWithRules(t *testing.T) {
	missing := &xtables{program: "iptables-of-nowhere"}
	f := open("x", missing, missing)
	testkit.Same(t, testkit.Must(f.Sync(t.Context(), nil))(t), []string(nil), "nothing wanted")
	_, err := f.Sync(t.Context(), rules(t, "8 192.0.2.1 tcp 80"))
	testkit.Fails(t, err, "IPv4 mark rules: iptables-of-nowhere: not installed (package iptables)")
}

// A kernel without the table, or a user without the right to list it, is an error only when there are rules to set.
func TestRefusedListingMattersOnlyWithRules(t *testing.T) {
	x := &xtables{program: script(t,
		version+"echo \"Could not fetch rule set\x1b: Permission denied (you must be root)\" >&2; exit 4")}
	f := open("x", x, x)
	if _, err := f.Sync(t.Context(), nil); err != nil {
		t.Error(err)
	}
	_, err := f.Sync(t.Context(), rules(t, "8 192.0.2.1 tcp 80"))
	if err == nil || !strings.HasSuffix(err.Error(),
		"iptables -w 5 -t mangle -S: Could not fetch rule set\x1b: Permission denied (you must be root)") {
		t.Errorf("error %v", err)
	}
}

func TestErrorsSayWhatIsMissing(t *testing.T) {
	for complaint, want := range map[string]string{
		"iptables: No chain/target/match by that name.":    "(needs the kernel modules xt_mark, xt_multiport)",
		"iptables: table is incompatible, use 'nft' tool.": "(the table mangle has rules that nft added)",
		"can't initialize iptables table `mangle'": "(the kernel lacks the table: module " +
			"iptable_mangle, ip6table_mangle or nf_tables)",
	} {
		x := &xtables{program: script(t, version+`echo "`+strings.ReplaceAll(complaint, "`", "\\`")+
			`" >&2; exit 1`)}
		err := x.run(t.Context(), command{option: appendRule, chain: "C",
			rule: "-p tcp -m multiport --dports 1,2 -j MARK --set-mark 8"})
		if err == nil || !strings.HasSuffix(err.Error(),
			"-t mangle -A C -p tcp -m multiport --dports 1,2 -j MARK --set-mark 8: "+complaint+" "+want) {
			t.Errorf("error %v, want …%s", err, want)
		}
	}
}

// A run that hangs delays its caller at most until the deadline, and no second one is started meanwhile.
func TestHungProgramIsLeftAlone(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	testkit.OK(t, syscall.Mkfifo(fifo, 0o600))
	x := &xtables{program: script(t, version+"read line <"+fifo)}
	soon := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	testkit.Is(t, x.run(soon(), command{option: newChain, chain: "C"}), context.DeadlineExceeded, "the first")
	testkit.FailsWith(t, x.run(soon(), command{option: newChain, chain: "C"}), "is still running", "the second")
	testkit.Is(t, testkit.Error(x.list(soon(), false)), context.DeadlineExceeded, "the listing")
	release := testkit.Must(os.OpenFile(fifo, os.O_RDWR, 0))(t)
	defer release.Close()
	testkit.OK(t, testkit.Error(release.WriteString("a\nb\n")))
	if err := x.run(t.Context(), command{option: newChain, chain: "C"}); err != nil {
		t.Errorf("after the end of the first: %v", err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	path := script(t, "yes | head -c 20000000")
	if _, err := run(t.Context(), path); err == nil || !strings.HasSuffix(err.Error(), "printed more than 16 MB") {
		t.Errorf("error %v", err)
	}
}
