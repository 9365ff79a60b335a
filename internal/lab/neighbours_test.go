package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// These tests play pairs of daemons with a virtual service in common. Several pairs share a guest. Each has its own
// files, and ends what it began.

// pair is a lab for two daemons: a.cf has weight 1 for its server, b.cf weight 5.
type pair struct {
	*lab
	a, b string // the paths of the files
	mu   sync.Mutex
	seen []string      // weights of the server, in their order
	gap  time.Duration // the longest time in which the service had no server with a weight
	stop context.CancelFunc
	over chan struct{}
}

const pairService = "192.0.2.10:7000"

// section is a virtual service with one server.
func section(virtual string, weight int, more string) string {
	const text = "virtual = %s\n\treal = 192.0.2.21:7000 gate %d\n\tchecktype = connect\n\tcheckport = 7000\n%s"
	return fmt.Sprintf(text, virtual, weight, more)
}

// file writes a configuration. Its log is next to it.
func (l *lab) file(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	text = fmt.Sprintf("logfile = \"%s.log\"\ncheckinterval = 1\nchecktimeout = 1\n", path) + text
	testkit.Write(l.t, path+".new", text)
	testkit.OK(l.t, os.Rename(path+".new", path))
	return path
}

// pairs plays scenes in one network. Each has two new files.
func pairs(t *testing.T, scenes map[string]func(*pair)) {
	l := newLabOf(t, 2)
	l.echo("rs1", ":7000")
	for _, name := range slices.Sorted(mapsKeys(scenes)) {
		l.t.Run(name, func(t *testing.T) {
			own := *l
			own.t, own.dir = t, t.TempDir()
			p := &pair{lab: &own}
			p.a = p.file("a.cf", section(pairService, 1, ""))
			p.b = p.file("b.cf", section(pairService, 5, ""))
			t.Cleanup(func() {
				p.end()
				for _, path := range []string{p.b, p.a} {
					_ = p.command(path, "stop").Run() // it may no longer run
				}
				p.sh("ip netns exec %sdir ipvsadm -C", p.prefix)
			})
			scenes[name](p)
		})
	}
}

func mapsKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// watch reads the service all the time, from when it serves until end.
func (p *pair) watch() {
	p.t.Helper()
	p.until(10*time.Second, "-t "+pairService+" -r 192.0.2.21:7000 -g -w ")
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	p.over = make(chan struct{})
	go func() {
		defer close(p.over)
		if err := p.enter("dir", func() { p.look(ctx) }); err != nil {
			p.t.Error(err)
		}
	}()
}

func (p *pair) look(ctx context.Context) {
	k, err := ipvsctl.Open(ipvsctl.Kernel)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer k.Close()
	var empty time.Time
	for ctx.Err() == nil {
		table, err := k.Read(ctx)
		if err != nil {
			continue
		}
		weight := weightOf(lvs.Format(table))
		p.mu.Lock()
		switch {
		case weight == "" && empty.IsZero():
			empty = time.Now()
		case weight == "":
			p.gap = max(p.gap, time.Since(empty)-p.idle.since(empty))
		default:
			if empty = (time.Time{}); len(p.seen) == 0 || p.seen[len(p.seen)-1] != weight {
				p.seen = append(p.seen, weight)
			}
		}
		p.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
}

// weightOf is the weight of the service's server; empty if it does not serve.
func weightOf(table string) string {
	_, rest, _ := strings.Cut(table, "-t "+pairService+" -r 192.0.2.21:7000 -g -w ")
	weight, _, _ := strings.Cut(rest, "\n")
	weight, _, _ = strings.Cut(weight, " ")
	return strings.TrimPrefix(weight, "0")
}

func (p *pair) end() {
	if p.stop != nil {
		p.stop()
		<-p.over
		p.stop = nil
	}
}

// weights ends the watch. The weights must be these, in this order, and the service was never empty for more than a
// second.
func (p *pair) weights(want ...string) {
	p.t.Helper()
	last := func() bool { p.mu.Lock(); defer p.mu.Unlock(); return slices.Equal(p.seen, want) }
	for begun := time.Now(); !last() && time.Since(begun)-p.idle.since(begun) < 5*time.Second; {
		time.Sleep(20 * time.Millisecond)
	}
	p.end()
	if !slices.Equal(p.seen, want) || p.gap > time.Second {
		p.t.Errorf("weights were %v, want %v; empty for %v", p.seen, want, p.gap)
		p.t.Logf("a.cf:\n%s\nb.cf:\n%s", p.log("a"), p.log("b"))
	}
}

func (p *pair) log(name string) string {
	text, _ := os.ReadFile(filepath.Join(p.dir, name+".cf.log"))
	return string(text)
}

// logged waits until the log of a file has a text.
func (p *pair) logged(name, text string) {
	p.t.Helper()
	p.fileSays(filepath.Join(p.dir, name+".cf.log"), 0, 10*time.Second, text)
}

// becomes waits for a weight, which shows the daemon that has the service.
func (p *pair) becomes(limit time.Duration, weight string) time.Duration {
	p.t.Helper()
	defer func() {
		if p.t.Failed() {
			p.t.Logf("a.cf:\n%s\nb.cf:\n%s", p.log("a"), p.log("b"))
		}
	}()
	return p.until(limit, "-t "+pairService+" -r 192.0.2.21:7000 -g -w "+weight)
}

// pidOf is the process of a file's daemon.
func (p *pair) pidOf(name string) int {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "ldirectord."+name+".cf.pid"))
	pid, bad := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || bad != nil {
		p.t.Fatalf("no pid of %s: %v", name, err)
	}
	return pid
}

func (p *pair) send(name string, s syscall.Signal) {
	p.t.Helper()
	testkit.OK(p.t, syscall.Kill(p.pidOf(name), s))
}

// begin starts the first daemon, then the other one, which waits.
func (p *pair) begin() {
	p.t.Helper()
	p.run(exitOK, p.a, "start")
	p.watch()
	said := p.run(exitOK, p.b, "start")
	want := fmt.Sprintf("tcp:192.0.2.10:7000 belongs to a.cf, pid %d", p.pidOf("a"))
	testkit.Contains(p.t, said, want, "start")
}

// director is a command that runs in the director.
func (p *pair) director(words ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", p.prefix + "dir"}, words...)...)
}

// inRun runs the program with the default run folder.
func (p *pair) inRun(words ...string) string {
	p.t.Helper()
	out, err := p.director(append([]string{program(p.t)}, words...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v: %v: %s", words, err, out)
	}
	if words[1] == "start" {
		p.t.Cleanup(func() {
			_ = p.director(program(p.t), words[0], "stop").Run()
		})
	}
	return string(out)
}

// perl runs a command of the Perl ldirectord in the director.
func (p *pair) perl(words ...string) {
	p.t.Helper()
	program := os.Getenv("PERL_LDIRECTORD")
	if program == "" {
		p.t.Skip("PERL_LDIRECTORD names no Perl ldirectord")
	}
	if out, err := p.director(append([]string{program}, words...)...).CombinedOutput(); err != nil {
		p.t.Fatalf("%v: %v: %s", words, err, out)
	}
}

// startPerl starts the Perl ldirectord with a file, for the time of the test.
func (p *pair) startPerl(path string) {
	p.t.Helper()
	p.perl(path, "start")
	p.t.Cleanup(func() {
		_ = p.director(os.Getenv("PERL_LDIRECTORD"), path, "stop").Run()
	})
}

// perlServes starts the Perl ldirectord with a.cf, and watches the service from when it has checked the server: at its
// start it adds the server, removes it, and adds it again.
func (p *pair) perlServes() {
	p.t.Helper()
	p.startPerl(p.a)
	p.logged("a", "Resetting soft failure count: 192.0.2.21:7000")
	p.watch()
}

// stays checks for a while that the first daemon keeps the service.
func (p *pair) stays(d time.Duration) {
	p.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if w := weightOf(p.table()); w != "1" {
			p.t.Fatalf("the weight is %q\na.cf:\n%s\nb.cf:\n%s", w, p.log("a"), p.log("b"))
		}
	}
}

// One pair is played in every run. The others take minutes.
func TestKernelNeighbours(t *testing.T) {
	pairs(t, map[string]func(*pair){
		"the first stops": func(p *pair) {
			p.begin()
			p.logged("a", fmt.Sprintf("b.cf, pid %d, waits for tcp:192.0.2.10:7000", p.pidOf("b")))
			for path, want := range map[string]string{
				p.a: fmt.Sprintf("it also belongs to b.cf, pid %d", p.pidOf("b")),
				p.b: fmt.Sprintf("belongs to a.cf, pid %d", p.pidOf("a")),
			} {
				if said := p.run(exitOK, path, "status", "-v"); !strings.Contains(said, want) {
					p.t.Errorf("status of %s does not say %q:\n%s", path, want, said)
				}
			}
			p.run(exitOK, p.b, "set", "192.0.2.21", "weight", "7")
			p.run(exitOK, p.a, "stop")
			p.becomes(5*time.Second, "7") // the order applies now
			p.logged("a", "Left to b.cf")
			p.logged("b", "Taken over: tcp:192.0.2.10:7000")
			p.weights("1", "7")
			p.run(exitOK, p.b, "stop")
			p.until(time.Second, "no "+pairService)
		},
	})
}

// long skips tests that only make neighbours-test and make long-neighbours run.
func long(t *testing.T) {
	if os.Getenv("LONG_TESTS") == "" {
		t.Skip("plays with LONG_TESTS")
	}
}

func TestKernelLongNeighbours(t *testing.T) {
	long(t)
	pairs(t, map[string]func(*pair){
		"both start at once": func(p *pair) {
			var starts sync.WaitGroup
			said := map[string]string{}
			for name, path := range map[string]string{"a": p.a, "b": p.b} {
				cmd := p.command(path, "start")
				starts.Go(func() {
					out, err := cmd.CombinedOutput()
					p.mu.Lock()
					defer p.mu.Unlock()
					if said[name] = string(out); err != nil {
						p.t.Errorf("start of %s.cf: %v: %s", name, err, out)
					}
				})
			}
			p.watch()
			starts.Wait()
			p.t.Log(p.table())
			first, second := "a", "b"
			if strings.Contains(said["a"], "belongs to") {
				first, second = second, first
			}
			want := fmt.Sprintf("belongs to %s.cf, pid %d", first, p.pidOf(first))
			if !strings.Contains(said[second], want) || strings.Contains(said[first], "belongs to") {
				p.t.Errorf("the starts say %q, not once %q", said, want)
			}
			p.logged(second, want) // the log may be written after start has returned
			p.logged(first, "Added real server")
			if strings.Contains(p.log(second), "Added real server") ||
				strings.Contains(p.log(first), "belongs to") {
				p.t.Errorf("a.cf:\n%s\nb.cf:\n%s", p.log("a"), p.log("b"))
			}
			p.weights(map[string]string{"a": "1", "b": "5"}[first])
		},
		"the first is killed and comes back": func(p *pair) {
			p.begin()
			p.send("a", syscall.SIGKILL)
			time.Sleep(2 * time.Second)
			p.run(exitOK, p.a, "start")
			p.stays(2 * time.Second)
			p.weights("1")
		},
		"the first restarts": func(p *pair) {
			p.begin()
			p.run(exitOK, p.a, "restart")
			p.stays(time.Second)
			p.weights("1")
			p.run(exitOK, p.a, "stop")
			p.becomes(5*time.Second, "5")
		},
		"the first reloads without it": func(p *pair) {
			p.begin()
			p.file("a.cf", section("192.0.2.10:7001", 1, ""))
			p.run(exitOK, p.a, "reload")
			p.becomes(5*time.Second, "5")
			p.weights("1", "5")
		},
		"moved, and the other one takes it first": func(p *pair) {
			p.file("b.cf", section("192.0.2.10:7001", 5, ""))
			p.run(exitOK, p.a, "start")
			p.run(exitOK, p.b, "start")
			p.watch()
			p.file("b.cf", section("192.0.2.10:7001", 5, "")+section(pairService, 5, ""))
			p.run(exitOK, p.b, "reload")
			p.stays(time.Second)
			p.file("a.cf", section("192.0.2.10:7002", 1, ""))
			p.run(exitOK, p.a, "reload")
			p.becomes(5*time.Second, "5")
			p.weights("1", "5")
		},
		"moved, and the first leaves it first": func(p *pair) {
			p.file("b.cf", section("192.0.2.10:7001", 5, ""))
			p.run(exitOK, p.a, "start")
			p.run(exitOK, p.b, "start")
			p.becomes(5*time.Second, "1")
			p.file("a.cf", section("192.0.2.10:7002", 1, ""))
			p.run(exitOK, p.a, "reload")
			p.until(time.Second, "no "+pairService)
			p.file("b.cf", section(pairService, 5, ""))
			p.run(exitOK, p.b, "reload")
			p.becomes(5*time.Second, "5")
		},
		"the first stands by": func(p *pair) {
			p.run(exitOK, p.a, "standby")
			p.run(exitOK, p.a, "notify", "master")
			p.watch()
			p.run(exitOK, p.b, "start")
			p.run(exitOK, p.a, "notify", "backup")
			p.becomes(5*time.Second, "5")
			p.run(exitOK, p.a, "notify", "master")
			p.logged("a", "belongs to b.cf")
			p.run(exitOK, p.b, "stop")
			p.becomes(5*time.Second, "1")
			p.weights("1", "5", "1")
		},
		"a daemon that hangs keeps it": func(p *pair) {
			p.begin()
			p.send("a", syscall.SIGSTOP)
			p.stays(3 * time.Second)
			p.send("a", syscall.SIGCONT)
			p.weights("1")
		},
		"another run folder": func(p *pair) {
			p.run(exitOK, p.a, "start")
			p.watch()
			said := p.inRun(p.b, "start")
			testkit.Contains(p.t, said, "Other directors: the run folder "+p.dir, "start")
			p.logged("a", "Changed by b.cf") // a.cf's daemon reads both run folders
			p.inRun(p.b, "stop")
		},
		"a unit in /run, and a manager's with a folder of its own": func(p *pair) {
			p.inRun(p.a, "start")
			p.watch()
			testkit.Contains(p.t, p.run(exitOK, p.b, "start"), "belongs to a.cf", "start")
			p.inRun(p.a, "stop")
			p.weights("1", "5")
		},
		"a pid namespace of its own": func(p *pair) {
			cmd := p.director("unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
				program(p.t), "--rundir", p.dir, p.a, "start", "--foreground")
			testkit.OK(p.t, cmd.Start())
			p.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			p.watch()
			testkit.Contains(p.t, p.run(exitOK, p.b, "start"), "belongs to a.cf, pid 1:", "start")
			p.stays(2 * time.Second)
			p.weights("1")
		},
		"hidden processes": func(p *pair) {
			p.run(exitOK, p.a, "start")
			p.watch()
			cmd := p.director("unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
				program(p.t), "--rundir", p.dir, p.b, "start", "--foreground") // it sees only itself
			testkit.OK(p.t, cmd.Start())
			p.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			p.logged("b", "belongs to a.cf")
			p.stays(2 * time.Second)
			p.run(exitOK, p.a, "stop")
			p.weights("1", "5")
		},
		"two files with one mark": func(p *pair) {
			p.file("a.cf", section("3", 1, "\tmark = 192.0.2.10 tcp 7000\n"))
			p.file("b.cf", section("3", 5, "\tmark = 192.0.2.10 tcp 7000\n"))
			p.run(exitOK, p.a, "start")
			p.run(exitOK, p.b, "start")
			p.until(5*time.Second, "-f 3 -r 192.0.2.21:7000 -g -w 1")
			testkit.Equal(p.t, strings.Count(p.marks(), "-j MARK"), 1, "rules", p.marks())
			p.run(exitOK, p.a, "stop")
			p.until(5*time.Second, "-f 3 -r 192.0.2.21:7000 -g -w 5")
			p.within(5*time.Second, "-j MARK --set-xmark 0x3/0xffffffff")
		},
		"a mark and an address": func(p *pair) {
			p.run(exitOK, p.a, "start")
			p.watch()
			p.file("b.cf", section("3", 5, "\tmark = 192.0.2.10 tcp 7000\n"))
			const told = "Marked here: fwm:3 gets packets of a.cf, pid %d: tcp:192.0.2.10:7000"
			want := fmt.Sprintf(told, p.pidOf("a"))
			testkit.Contains(p.t, p.run(exitOK, p.b, "start"), want, "start")
			p.until(5*time.Second, "-f 3 -r 192.0.2.21:7000 -g -w 5")
			p.weights("1")
		},
		"announced and checked through the address": func(p *pair) {
			p.sh("ip -n %[1]sdir link add lvs0 type dummy; ip -n %[1]sdir link set lvs0 up", p.prefix)
			p.t.Cleanup(func() { p.sh("ip -n %sdir link del lvs0", p.prefix) })
			for name, weight := range map[string]int{"a.cf": 1, "b.cf": 5} {
				p.file(name, "announce = lvs0\n"+section(pairService, weight, "\tcheckvip = yes\n"))
			}
			p.sh("ip netns exec %sdir sysctl -qw net.ipv4.conf.br0.accept_local=1", p.prefix)
			p.sh("ip -n %sdir addr del 192.0.2.10/32 dev br0", p.prefix)
			p.t.Cleanup(func() {
				if p.t.Failed() {
					p.t.Logf("a.cf:\n%s\nb.cf:\n%s", p.log("a"), p.log("b"))
				}
			})
			p.t.Cleanup(func() { p.sh("ip -n %sdir addr add 192.0.2.10/32 dev br0", p.prefix) })
			p.run(exitOK, p.a, "start")
			p.onDevice("lvs0", "192.0.2.10/32")
			p.run(exitOK, p.b, "start")
			time.Sleep(2 * time.Second)
			p.privateAre(1)
			p.run(exitOK, p.a, "stop")
			p.becomes(5*time.Second, "5")
			p.onDevice("lvs0", "192.0.2.10/32")
			p.privateAre(1)
		},
		"one file, however spelt": func(p *pair) {
			p.run(exitOK, p.a, "start")
			link := filepath.Join(p.dir, "link.cf")
			testkit.OK(p.t, os.Symlink(p.a, link))
			testkit.Equal(p.t, p.run(exitOK, link, "start"), "", "start")
			p.becomes(time.Second, "1")
		},
	})
}

func TestKernelLongNeighboursPerl(t *testing.T) {
	long(t)
	belongs := "belongs to the Perl ldirectord of a.cf, pid "
	pairs(t, map[string]func(*pair){
		"the Perl stops": func(p *pair) {
			p.perlServes()
			testkit.Contains(p.t, p.run(exitOK, p.b, "start"), belongs, "start")
			p.stays(2 * time.Second)
			p.perl(p.a, "stop")
			p.becomes(5*time.Second, "5")
			p.weights("1", "5")
		},
		"the Perl forks": func(p *pair) {
			p.file("a.cf", "fork = yes\n"+section(pairService, 1, ""))
			p.perlServes()
			testkit.Contains(p.t, p.run(exitOK, p.b, "start"), belongs, "start")
			p.perl(p.a, "stop")
			p.becomes(5*time.Second, "5")
			p.weights("1", "5")
		},
		"the Perl's file loses it": func(p *pair) {
			p.perlServes()
			p.run(exitOK, p.b, "start")
			p.file("a.cf", section("192.0.2.10:7001", 1, ""))
			p.perl(p.a, "reload")
			p.becomes(5*time.Second, "5")
			p.end()
			if p.gap > time.Second {
				p.t.Errorf("the service was empty for %v", p.gap)
			}
		},
		"the Perl's file can't be read": func(p *pair) {
			p.perlServes()
			testkit.OK(p.t, os.Rename(p.a, p.a+".gone"))
			said := p.run(exitOK, p.b, "start")
			testkit.Contains(p.t, said, "Other directors: the file of the Perl ldirectord with pid ",
				"start")
			p.becomes(5*time.Second, "5") // b.cf serves
			testkit.OK(p.t, os.Rename(p.a+".gone", p.a))
		},
		"the Perl starts later": func(p *pair) {
			p.file("a.cf", section(pairService, 3, ""))
			p.run(exitOK, p.b, "start")
			p.watch()
			p.startPerl(p.a)
			p.logged("b", "Changed by the Perl ldirectord of a.cf")
			time.Sleep(3 * time.Second)
			p.t.Log(p.table())
			p.perl(p.a, "stop")
			p.becomes(5*time.Second, "5")
			p.end()
			p.t.Logf("%v %v\n%s", p.seen, p.gap, p.log("b"))
			if p.gap > time.Second {
				p.t.Errorf("the service was empty for %v", p.gap)
			}
		},
		"restart takes over from the Perl of the file": func(p *pair) {
			p.perlServes()
			testkit.Equal(p.t, p.inRun(p.a, "restart"), "", "restart")
			p.stays(time.Second)
			p.weights("1")
			p.inRun(p.a, "stop")
		},
	})
}

func TestKernelLongNeighboursWait(t *testing.T) {
	long(t)
	pairs(t, map[string]func(*pair){
		"the first is killed": func(p *pair) {
			p.begin()
			p.send("a", syscall.SIGKILL)
			p.stays(8 * time.Second)
			p.becomes(10*time.Second, "5")
			p.weights("1", "5")
			p.run(exitOK, p.a, "start") // its old record does not claim the service
			p.logged("a", "belongs to b.cf")
			p.becomes(time.Second, "5")
		},
		"the first hands over to nobody": func(p *pair) {
			p.begin()
			p.run(exitOK, p.a, "stop", "--keep")
			p.stays(27 * time.Second)
			p.becomes(10*time.Second, "5")
			p.weights("1", "5")
		},
	})
}
