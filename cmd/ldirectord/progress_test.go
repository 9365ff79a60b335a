package main

import (
	"bufio"
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/printable"
	"ldirectord/internal/testkit"
)

// Where lines stay, a command that waits tells so each ten seconds, after its answer so far.
func TestWhatACommandWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		raw := bufio.NewWriter(&b)
		o := &output{out: printable.Writer{To: raw}, raw: raw, stdout: &b}
		w := o.newWaiting()
		for range 300 {
			w.show("web1: still has connections: \x1b[12")
			time.Sleep(100 * time.Millisecond)
		}
		w.end()
		testkit.Equal(t, b.String(), "web1: still has connections: \\x1b[12, 10s\n"+
			"web1: still has connections: \\x1b[12, 20s\n")
	})
}

// On a terminal one line shows what roll waits for; then nothing is left of it.
func TestWhatRollWaitsForOnATerminal(t *testing.T) {
	d, last := watched(t)
	last.Close()
	real := last.Addr().String()
	term := newTerminal(t, 60, 24)
	cmd := term.run(nil, program(t), append(d.args, "roll", real, "--timeout=2s", "--", "echo", "deployed")...)
	term.await(`: running echo\ndeployed\n` + real + `, 1 of 1: has not passed its checks: .*, \ds\n$`)
	testkit.Equal(t, cmd.Wait() != nil, true)
	term.await(`deployed\nldirectord: .* has not passed its checks after 2s: `)
	testkit.Equal(t, term.wraps, true)
}
