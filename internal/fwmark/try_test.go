package fwmark

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// Try finds the programs that list rules but can set none. The fix is the program that can set them.
func TestTryFindsTheProgramThatSetsMarks(t *testing.T) {
	const (
		works   = "exit 0"
		lacks   = "echo 'iptables: TABLE_ADD failed (Operation not supported): table mangle' >&2; exit 4"
		lacking = "(the kernel lacks the table: "
		fixed   = "update-alternatives --set iptables DIR/"
	)
	for _, c := range []struct {
		own, legacy, nft string
		err, fix         string
	}{
		{works, lacks, lacks, "", ""},
		{lacks, works, lacks, lacking, fixed + "iptables-legacy"},
		{lacks, lacks, works, lacking, fixed + "iptables-nft"},
		{lacks, lacks, lacks, lacking, ""},
	} {
		dir := t.TempDir()
		t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		programs := map[string]string{"iptables": c.own, "iptables-legacy": c.legacy, "iptables-nft": c.nft}
		for name, does := range programs {
			script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = --version ] && { echo iptables v1.8.9; exit; }\n"+
				"case \"$*\" in *-S*) exit 0 ;; esac\necho \"$*\" >>%s/%s.said\n%s\n", dir, name, does)
			testkit.Script(t, filepath.Join(dir, name), script)
		}
		fix, err := Try(t.Context(), false)
		testkit.Equal(t, fix, strings.ReplaceAll(c.fix, "DIR", dir))
		testkit.OKOr(t, err, c.err)
		said, _ := os.ReadFile(filepath.Join(dir, "iptables.said"))
		gone := strings.Contains(string(said), " -X ldirectord-")
		if c.own == works && !(gone && strings.Contains(string(said), " -N ldirectord-")) {
			t.Errorf("it is not removed:\n%s", said)
		}
	}
}

// While another process has the lock, nothing is known about a program.
func TestTryBlamesNoLock(t *testing.T) {
	const locked = "echo 'Another app is currently holding the xtables lock.' >&2; exit 4"
	for _, does := range []string{locked, "exec sleep 1"} {
		t.Setenv("PATH", filepath.Dir(script(t, version+does))+":"+os.Getenv("PATH"))
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		testkit.Equal(t, testkit.Must(Try(ctx, false))(t), "", does)
		cancel()
	}
}

// Try accepts what the kernel of this machine accepts, and leaves no rules.
func TestTryLeavesNothing(t *testing.T) {
	if os.Getenv(apart) == "" {
		t.Skip("needs root and network namespaces")
	}
	for _, ipv6 := range []bool{false, true} {
		x := &xtables{program: iptablesOf(ipv6), ipv6: ipv6}
		if _, err := Try(t.Context(), ipv6); err != nil {
			t.Skip(err)
		}
		if table, err := x.list(t.Context(), false); err != nil || table.rules() > 0 || len(table) > 5 {
			t.Errorf("%v, %v", table, err)
		}
	}
}

func (l listing) rules() (count int) {
	for _, rules := range l {
		count += len(rules)
	}
	return count
}
