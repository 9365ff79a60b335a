package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ldirectord/internal/testkit"
)

// interruption is a time in which the daemon can't see what happens.
type interruption struct {
	name  string
	begin func()
	end   func()
}

func (f *failures) interruptions() []interruption {
	return []interruption{
		{"SIGSTOP", func() { f.signal(syscall.SIGSTOP) },
			func() { f.signal(syscall.SIGHUP); f.signal(syscall.SIGCONT) }},
		{"kill -9", f.kill, func() { f.does(f.path, "start") }},
		{"stop", func() { f.does(f.path, "stop") }, func() { f.does(f.path, "start") }},
	}
}

const interruptionTime = 2 * time.Second

// interrupted plays faults and changes while the daemon is interrupted.
func (f *failures) interrupted(number string, by interruption) {
	row := func(step, what string) *row { return f.begin(number+step, what+" during "+by.name) }
	during := func(happens func()) (end time.Time) {
		by.begin()
		happens()
		time.Sleep(interruptionTime)
		by.end()
		return time.Now()
	}
	var o *outage
	r := row("1", "a server dies")
	awake := during(func() { o = f.fails("rs1", (*web).stop) })
	o.awake = awake
	r.out = f.seen(o)

	r = row("2", "it is back")
	awake = during(func() { f.revives(o) })
	r.back = seconds(f.untilFrom(awake, bound, entry("rs1")+" -m -w 1"))

	r = row("3", "the file gets another weight and a server that hangs,")
	f.webs["rs5"].set(silent)
	f.outages = append(f.outages, &outage{server: "rs5", from: r.from, seen: r.from})
	f.weights["rs1"], f.weights["rs5"] = 5, 1
	awake = during(f.configure)
	f.until(bound, entry("rs1")+" -m -w 5")
	r.note("the file counts after %s s", seconds(time.Since(awake)))
	time.Sleep(time.Second)
	f.weights["rs1"] = 1
	delete(f.weights, "rs5")
	f.reload()
	f.until(bound, entry("rs1")+" -m -w 1")

	f.blackout(row("4", "all die"), row, during)
}

// blackout ends all servers during one interruption, and starts them again during the next.
func (f *failures) blackout(r *row, row func(step, what string) *row, during func(func()) time.Time) {
	var dead []*outage
	awake := during(func() {
		for _, name := range all {
			dead = append(dead, f.fails(name, (*web).stop))
		}
	})
	last := dead[len(dead)-1].from
	f.until(bound, "-t "+natVIP+":80 -r 127.0.0.1:80")
	r.note("fallback server in after %s s", seconds(time.Since(awake)))
	for _, o := range dead {
		o.awake = awake
		f.seen(o)
	}
	r = row("5", "all are back")
	awake = during(func() {
		for _, o := range dead {
			f.revives(o)
		}
	})
	f.until(bound, "no "+natVIP+":80 -r 127.0.0.1:80", entry("rs1"), entry("rs2"), entry("rs3"), entry("rs4"))
	r.back = seconds(time.Since(awake))
	f.sorry = append(f.sorry, span{last, time.Now()})
}

// revives starts a server's process again.
func (f *failures) revives(o *outage) {
	o.healed = time.Now()
	f.webs[o.server].start()
}

// clockJumps sets the clock an hour forward and back. No check under way may fail because of that, and none may be
// late. It is played only on the lab's own kernel, where nothing else uses the clock.
func (f *failures) clockJumps(number string) {
	if !ownKernel() {
		f.t.Log("skipped: the clock is not set on a machine's own kernel")
		return
	}
	for _, jump := range []struct {
		by   time.Duration
		name string
	}{{time.Hour, "ahead"}, {-time.Hour, "back"}} {
		r := f.begin(number, "the clock is set an hour "+jump.name+", a server hangs")
		was, before := f.table(), len(f.logText())
		f.setClock(jump.by)
		time.Sleep(2500 * time.Millisecond)
		r.unchanged(f, was, before, false)
		o := f.fails("rs1", silent.on())
		r.out = f.seen(o)
		r.back = f.heals(o, well.on())
	}
}

// ownKernel reports whether this is the lab's own kernel, where nothing else uses the clock.
func ownKernel() bool {
	text, _ := os.ReadFile("/proc/cpuinfo")
	return strings.Contains(string(text), "User Mode Linux")
}

func (l *lab) setClock(by time.Duration) {
	l.t.Helper()
	now := syscall.NsecToTimeval(time.Now().Add(by).UnixNano())
	testkit.OK(l.t, syscall.Settimeofday(&now))
}

// upgrade replaces the file of the program, as a package manager does, and restarts the daemon.
func (f *failures) upgrade(r *row) {
	f.replaceProgram()
	f.restartCommand(r)
	if runs, err := os.Readlink("/proc/" + strconv.Itoa(f.pid()) + "/exe"); err != nil || runs != f.exe {
		r.broken = fmt.Sprintf("the daemon runs %s (%v), not %s", runs, err, f.exe)
	}
}

// replaceProgram replaces the lab's program by a new copy.
func (l *lab) replaceProgram() {
	l.t.Helper()
	text := testkit.Must(os.ReadFile(program(l.t)))(l.t)
	l.exe = filepath.Join(l.dir, "ldirectord")
	testkit.OK(l.t, os.WriteFile(l.exe+".new", text, 0o700))
	testkit.OK(l.t, os.Rename(l.exe+".new", l.exe))
}
