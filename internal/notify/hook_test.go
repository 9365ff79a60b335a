package notify

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/testkit"
)

// runs runs a line of the shell in one lane.
func (h *Hooks) runs(line string) { h.Run(Hook{Lane: "v", Argv: Shell(line)}) }

func TestHooksRunInOrderAndSkipToTheLatest(t *testing.T) {
	dir := t.TempDir()
	out, gate := filepath.Join(dir, "out"), filepath.Join(dir, "gate")
	testkit.OK(t, syscall.Mkfifo(gate, 0o600))
	h := NewHooks(NewJournal())
	run := func(format string, args ...any) {
		h.runs(fmt.Sprintf(format, args...))
	}
	const first = "cat %s; echo first >>%s"
	run(first, gate, out)
	running := testkit.Must(os.OpenFile(gate, os.O_WRONLY, 0))(t) // waits until the first hook opens it
	run("echo second >>%s", out)
	run(first, gate, out) // it runs, and nothing waits
	testkit.Equal(t, len(h.lanes["v"].waits), 0)
	for _, n := range []string{"third", "last"} {
		run("echo %s >>%s", n, out)
	}
	running.Close()
	h.Close(t.Context())
	testkit.Equal(t, testkit.Read(t, out), "first\nlast\n", "ran the running one and then only the latest")
}

func TestALaneRunsOneAtATimeAndTheLatestOfEachKey(t *testing.T) {
	dir := t.TempDir()
	out, gate := filepath.Join(dir, "out"), filepath.Join(dir, "gate")
	h, ended := NewHooks(NewJournal()), make(chan string, 10)
	line := func(key, text string) {
		h.Run(Hook{Lane: "onchange", Key: key, Stdin: []byte(text), Ended: func() { ended <- text },
			Argv: Shell(fmt.Sprintf("until [ -e %[2]s ]; do sleep 0.01; done; [ ! -e %[1]s.busy ] || "+
				"echo overlap >>%[1]s; >%[1]s.busy; cat >>%[1]s; rm %[1]s.busy", out, gate))})
	}
	line("b", "b1\n")
	line("b", "b0\n")
	line("", "all\n")
	line("a", "a1\n")
	line("b", "b0\n")
	line("b", "b1\n") // as the running one, but its end is awaited
	line("a", "a2\n")
	testkit.Write(t, gate, "")
	h.Close(t.Context())
	testkit.Equal(t, testkit.Read(t, out), "b1\nall\na2\nb1\n")
	close(ended)
	var all []string
	for text := range ended {
		all = append(all, text)
	}
	slices.Sort(all)
	testkit.Same(t, all, []string{"a1\n", "a2\n", "all\n", "b0\n", "b0\n", "b1\n", "b1\n"},
		"ended, run or replaced")
}

func TestCommandsOfServicesTakeTurns(t *testing.T) {
	h := NewHooks(NewJournal())
	for range cap(h.turns) {
		h.turns <- struct{}{}
	}
	ended := make(chan string, 2)
	for lane, line := range map[string]string{"v": ":", "onchange": "sleep .1"} {
		h.Run(Hook{Lane: lane, Virtual: "v", Argv: Shell(line), Ended: func() { ended <- lane }})
	}
	testkit.Equal(t, <-ended, "onchange")
	<-h.turns
	testkit.Equal(t, <-ended, "v")
	h.Close(t.Context())
	testkit.Equal(t, len(h.turns), cap(h.turns)-1)
}

// Commands that hang delay no other one for longer than they may take.
func TestATurnIsNotAwaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Hooks{tries: NewTries()}
		begin := time.Now()
		h.turn()()
		testkit.Equal(t, time.Since(begin), hookTime)
	})
}

// BenchmarkHooks10k has a hook of each of 10,000 virtual services wait for one that runs.
func BenchmarkHooks10k(b *testing.B) {
	for b.Loop() {
		h := NewHooks(NewJournal())
		h.lanes["onchange"] = &lane{waits: map[string]*Hook{}}
		for i := range 10_000 {
			h.Run(Hook{Lane: "onchange", Key: strconv.Itoa(i)})
		}
	}
}

func TestWhatAHookWritesAndItsFailureAreReported(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	testkit.Script(t, script, "#!/bin/sh\necho \"$*\"; exit $1\n")
	read := strings.NewReplacer("SCRIPT", script, `\033`, "\033").Replace
	for _, row := range testkit.Table(t, "../../testdata/notify/hooks.txt", 4) {
		argv := Shell(read(row[0]))
		if strings.HasPrefix(row[0], "SCRIPT") {
			argv = strings.Fields(read(row[0]))
		}
		got := ""
		j := NewJournal(func(e Event) {
			got += fmt.Sprintf("%s | %s | %s | %s", e.Kind, e.Text, e.Reason, e.Virtual)
		})
		h := NewHooks(j)
		h.Run(Hook{Lane: "lane", Virtual: "tcp:192.0.2.1:80", Argv: argv})
		h.Close(t.Context())
		j.Close(t.Context())
		want := ""
		if row[1] != "" {
			want = read(strings.Join(append(row[1:], "tcp:192.0.2.1:80"), " | "))
		}
		testkit.Equal(t, got, want, row[0])
	}
}

// A failure ends with a success of the same command, or when the configuration no longer has it.
func TestTheEndOfAFailureOfAHookIsReported(t *testing.T) {
	var got []string
	j := NewJournal(func(e Event) { got = append(got, fmt.Sprintf("%s %q %s", e.Kind, e.Key, e.Text)) })
	h := NewHooks(j)
	for _, line := range []string{"a exit 1", "a exit 2", "b exit 0", "a echo", "a true", "b exit 3", " exit 4"} {
		command, line, _ := strings.Cut(line, " ")
		h.Run(Hook{Lane: "lane", Command: command, Argv: Shell(line)})
		h.tries.Wait()
	}
	for _, used := range []string{"b", "a"} {
		h.Set([]Hook{{Lane: "lane", Command: used}})
	}
	gate := filepath.Join(t.TempDir(), "gate")
	slow := "until [ -e " + gate + " ]; do sleep .01; done; exit 5"
	h.Run(Hook{Lane: "lane", Command: "runs", Argv: Shell(slow)})
	h.Run(Hook{Lane: "lane", Command: "waits", Key: "waits", Argv: Shell("exit 6")})
	h.Run(Hook{Lane: "lane", Key: "unknown", Argv: Shell("exit 7")})
	h.Run(Hook{Lane: "lane", Command: "a", Key: "used", Argv: Shell("exit 8")})
	for range 2 { // reloads
		h.Set([]Hook{{Lane: "lane", Command: "a"}})
	}
	testkit.Write(t, gate, "")
	h.Close(t.Context())
	j.Close(t.Context())
	testkit.Same(t, got, []string{
		`hook-failed "lane\na" Command failed: exit 1: exit status 1`,
		`hook-failed "lane\na" Command failed: exit 2: exit status 2`,
		`hook-recovered "lane\na" Command succeeds again: echo`,
		`hook-failed "lane\nb" Command failed: exit 3: exit status 3`,
		`hook-failed "lane\n" Command failed: exit 4: exit status 4`,
		`hook-recovered "lane\nb" Command is no longer used: exit 3`,
		`hook-failed "lane\nruns" Command failed: ` + slow + `: exit status 5`,
		`hook-recovered "lane\nruns" Command is no longer used: ` + slow,
		`hook-failed "lane\nwaits" Command failed: exit 6: exit status 6`,
		`hook-recovered "lane\nwaits" Command is no longer used: exit 6`,
		`hook-failed "lane\n" Command failed: exit 7: exit status 7`,
		`hook-failed "lane\na" Command failed: exit 8: exit status 8`,
	}, "reported")
}

// A command that a shortage keeps from starting runs after it, unless a newer one of its key waits, the configuration
// no longer has it, or the daemon ends. The shortage is reported once.
func TestAHookWaitsForTheEndOfAShortage(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(h *Hooks, newer Hook)
		want      string
	}{
		"nothing":     {func(*Hooks, Hook) {}, "hook-failed first, hook-said first, hook-recovered first"},
		"a newer one": {(*Hooks).Run, "hook-failed first, hook-said newer, hook-recovered newer"},
		"a reload":    {func(h *Hooks, _ Hook) { h.Set(nil) }, "hook-failed first, hook-recovered first"},
		"the end":     {func(h *Hooks, _ Hook) { h.Close(context.Background()) }, "hook-failed first"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var got []string
			j := NewJournal(func(e Event) {
				_, line, _ := strings.Cut(e.Text, "/bin/echo ")
				line, _, _ = strings.Cut(line, ":")
				got = append(got, fmt.Sprint(e.Kind, " ", line))
			})
			h := NewHooks(j)
			ended := 0
			hook := func(line string) Hook {
				return Hook{Lane: "v", Command: "c", Argv: []string{"/bin/echo", line},
					Ended: func() { ended++ }}
			}
			testkit.WithoutDescriptors(t, func() {
				h.Run(hook("first"))
				time.Sleep(firstRetry + 1)
				synctest.Wait()
			})
			c.meanwhile(h, hook("newer"))
			synctest.Wait()
			time.Sleep(time.Minute)
			h.Close(t.Context())
			j.Close(t.Context())
			testkit.Equal(t, strings.Join(got, ", "), c.want, name)
			testkit.Equal(t, ended, 1+strings.Count(c.want, "said newer"), name, "ended")
			testkit.Equal(t, len(h.lanes), 0, name, "lanes")
		})
	}
}

// A hook that a newer one replaced before it could start did not run, so that the next one like it does.
func TestAHookThatDidNotRunIsNotRepeated(t *testing.T) {
	h, start := NewHooks(NewJournal()), Hook{Lane: "v", Argv: Shell("start")}
	l := &lane{runs: &start, waits: map[string]*Hook{}, wake: NewWake()}
	h.lanes["v"] = l
	h.runs("stop")
	testkit.Equal(t, h.retries(l, &start), false)
	h.Run(start)
	testkit.Equal(t, len(l.waits), 1)
	testkit.Equal(t, start.repeats(&Hook{Argv: start.Argv, Env: []string{"GIVEN=2"}}), false)
}

func TestAHookThatIsKilledAtTheEndIsReported(t *testing.T) {
	var got []Event
	j := NewJournal(func(e Event) { got = append(got, e) })
	h := NewHooks(j)
	gate := filepath.Join(t.TempDir(), "gate")
	testkit.OK(t, syscall.Mkfifo(gate, 0o600))
	line := "sleep 300 & echo >" + gate + "; exec sleep 300"
	h.runs(line)
	testkit.Read(t, gate) // waits until the hook runs
	ctx, begun := testkit.Ended(t), time.Now()
	h.Close(ctx)
	j.Close(t.Context())
	if want := "Command failed: " + line + ": killed, because the daemon ends"; len(got) != 1 ||
		got[0].Text != want || time.Since(begun) > 10*time.Second {
		t.Errorf("got %+v after %v, want %q", got, time.Since(begun), want)
	}
}

func TestAHookMayLeaveAProgramRunning(t *testing.T) {
	var got []Event
	j := NewJournal(func(e Event) { got = append(got, e) })
	h := NewHooks(j)
	pid := filepath.Join(t.TempDir(), "pid")
	h.runs("sleep 300 & echo $! >" + pid)
	h.Close(t.Context())
	j.Close(t.Context())
	testkit.Run(t, exec.Command("/bin/sh", "-c", "kill $(cat "+pid+")"))
	testkit.Equal(t, len(got), 0, got)
}
