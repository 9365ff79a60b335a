package protocol

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/subprocess"
	"ldirectord/internal/testkit"
)

// perlFile is a file of external-perl checks with Perl processes of its own, which are killed after the test.
type perlFile struct {
	t     *testing.T
	env   *Env
	path  string
	limit time.Duration
}

func needsPerl(t *testing.T) {
	if _, err := exec.LookPath("perl"); err != nil {
		t.Skip("needs perl")
	}
}

func newPerlFile(t *testing.T, code string) *perlFile {
	needsPerl(t)
	testkit.Leaks(t)
	perls := &Perls{}
	perls.Renew()
	t.Cleanup(perls.Renew)
	return &perlFile{t, &Env{Perls: perls}, writeScript(t, code), patient}
}

// check makes a check with other arguments than the usual ones.
func (f *perlFile) check(words ...string) Result {
	spec := externalSpec(f.path)
	spec.Type, spec.Timeout = "external-perl", f.limit
	args := strings.Split(spec.Args, "\x00")
	copy(args, words)
	spec.Args = strings.Join(args, "\x00")
	r := build(f.t, spec, f.env).Check(f.t.Context())
	r.Detail = strings.ReplaceAll(r.Detail, f.path, "FILE")
	return r
}

func (f *perlFile) expect(want string, words ...string) {
	f.t.Helper()
	if r := f.check(words...); r.Detail != want || r.OK != strings.HasPrefix(want, "exit status 0") {
		f.t.Errorf("%q: %+v, want %q", words, r, want)
	}
}

// pid is the process id of the file's perl.
func (f *perlFile) pid() int { return f.env.Perls.all[f.path].Pid }

// Whatever a check changes in its process, the next check of the same virtual service finds everything unchanged.
func TestPerlChecksAreIsolated(t *testing.T) {
	const show = `
		my $do = $ARGV[2];
		our $count; $count++;
		my $cwd = readlink "/proc/self/cwd";
		print join(" ", $count, "@ARGV[0,1]", $ENV{ADDED} || "-", $cwd eq "/" ? "moved" : "there",
			eof(STDIN) ? "eof" : "in", join("", grep $SIG{$_} && $SIG{$_} ne "DEFAULT", keys %SIG),
			umask, $0, time - $^T < 60 ? "now" : "then"), "\n";
		@ARGV = (); $ENV{ADDED} = 1; chdir "/"; umask 0; $0 = "other";
		$SIG{$_} = "IGNORE" for qw(TERM INT CHLD PIPE);
		$/ = undef; $| = 1; $, = "x"; $_ = 7; *main::ld_log = sub { }; *main::compile = sub { };
		$! = 0; eval $do; die $@ if $@;
		exit 0;`
	f := newPerlFile(t, show)
	first := f.check("a", "b", "1")
	if !first.OK || !strings.HasPrefix(first.Detail, "exit status 0: 1 a b - there eof FPE ") {
		t.Fatalf("%+v", first)
	}
	pid := f.pid()
	for do, want := range map[string]string{
		"exit 7":            "exit status 7",
		"exit":              "",
		"die 'no good'":     "exit status 255",
		"last":              "exit status 255",
		"next":              "exit status 255",
		"goto done":         "exit status 255",
		"exec '/bin/false'": "exit status 1",
		"kill 'KILL', $$":   "died of signal 9 (killed)",
		"alarm 1; $SIG{ALRM} = 'DEFAULT'; sleep 60":           "died of signal 14 (alarm clock)",
		"close STDOUT; close STDERR; exit 4":                  "exit status 4",
		"require POSIX; POSIX::close($_) for 0 .. 63; exit 5": "exit status 5",
		"require POSIX; POSIX::_exit(6)":                      "exit status 6",
		"system 'sleep 60 &'; exit 0":                         "",
		"print 'x' x 1_000_000":                               "",
		"while (1) { wait > 0 or last } exit 8":               "exit status 8",
		"fork; exit 9":                                        "exit status 9",
		"setpgrp; exit 3":                                     "exit status 3",
	} {
		r := f.check("a", "b", do)
		if want = strings.TrimSpace(want); want == "" {
			want = "exit status 0"
		}
		line := strings.TrimPrefix(first.Detail, "exit status 0")
		if r.Detail != want+line && r.Detail != want && r.Detail != want+": " {
			t.Errorf("%s: %+v, want %s%s", do, r, want, line)
		}
		testkit.Equal(t, f.check("a", "b", "1").Detail, first.Detail, "after", do)
	}
	testkit.Equal(t, f.pid(), pid, "the same perl")
}

// A process makes several checks of its virtual service, and none of another one. After a check that failed, or left
// changes that can't be undone, it makes no more.
func TestAPerlProcessStaysForItsVirtualService(t *testing.T) {
	f := newPerlFile(t, `use strict; our (@seen, %seen, $seen, $held);
		push @seen, 1; $seen{1} = 1; $seen .= 1; $ENV{SEEN} .= 1; $0 .= "x"; umask 7; chdir "/";
		$SIG{ALRM} = sub { exit 6 }; $SIG{__DIE__} = sub { exit 8 }; $| = 1; $/ = undef;
		die "an alarm is set" if alarm 60;
		print "$$ @seen ", keys %seen, " $seen $ENV{SEEN}";
		die if !eval "$ARGV[2]; 1";`)
	process := func(service, do string) string {
		t.Helper()
		pid, rest, _ := strings.Cut(strings.TrimPrefix(f.check(service, "80", do, "80").Detail,
			"exit status 0: "), " ")
		testkit.Equal(t, rest, "1 1 1 1", do)
		return pid
	}
	for do, stays := range map[string]bool{
		"1": true, "exit": true, "exit 'a'": true, "eval { exit 0 }": true, "'abc' =~ /(a)(b)/": true,
		"system 'true'": true, "fork || exit 0; wait": true, "setpgrp": true, "select STDERR": true,
		"exit 3": false, "my @sorted = sort { exit 0 } 1, 2": false, "open $held, '<', '/'": false,
		"open HELD, '<', '/'": false,
		"fork || sleep 1":     false, "close STDIN": false, "open STDOUT, '>', '/dev/null'": false,
		"close STDERR": false, "sleep 3": false, // limit 5
		"*seen = [ 1 ]; *held = \\1": false,
	} {
		before := process("10.0.0.1", "1")
		if f.check("10.0.0.1", "80", do, "80"); (process("10.0.0.1", "1") == before) != stays {
			t.Errorf("%s: the process stays: %v", do, !stays)
		}
	}
	if process("10.0.0.1", "1") == process("10.0.0.2", "1") {
		t.Error("two virtual services have one process")
	}
}

// Checks of one virtual service that are due together are made one after the other by one process, but none waits
// long for others.
func TestPerlChecksAtATimeShareAProcess(t *testing.T) {
	const patience = "$patience = 0.05;"
	if !strings.Contains(perlRunner, patience) {
		t.Fatal("the patience is not there")
	}
	processes := func(f *perlFile) (all []string) {
		var wait sync.WaitGroup
		said := make([]string, 4)
		for i := range said {
			wait.Go(func() { said[i] = f.check("a", "b", strconv.Itoa(i)).Detail })
		}
		wait.Wait()
		slices.Sort(said)
		return slices.Compact(said)
	}
	usual := perlRunner
	perlRunner = strings.Replace(perlRunner, patience, "$patience = 60;", 1)
	defer func() { perlRunner = usual }()
	f := newPerlFile(t, "select undef, undef, undef, 0.02; print $$")
	if all := processes(f); len(all) != 1 || !strings.HasPrefix(all[0], "exit status 0") {
		t.Errorf("%q", all)
	}
	perlRunner = usual
	dir := t.TempDir()
	f = newPerlFile(t, `open my $came, ">", "`+dir+`/$ARGV[2]"; # and waits for all others
		for my $n (0 .. 3) { select undef, undef, undef, 0.01 while !-e "`+dir+`/$n" }
		print $$`)
	testkit.Equal(t, len(processes(f)), 4, "processes")
}

// A file that keeps data of its first check for later ones, or that does something at its end, has a process for each
// check.
func TestAPerlFileThatKeepsWhatItSawHasAProcessForEachCheck(t *testing.T) {
	for _, code := range []string{
		`use strict; my $server; sub verdict { $server ||= $_[0]; exit($server ne "good") } verdict($ARGV[2]);`,
		`no warnings; my $server; sub verdict { $server ||= $_[0]; exit($server ne "good") } ` +
			`verdict($ARGV[2]);`,
		`use feature "state"; state $server = $ARGV[2]; exit($server ne "good");`,
		`use warnings; BEGIN { $SIG{__WARN__} = sub { } }
			my $server; sub verdict { $server ||= $_[0]; exit($server ne "good") } verdict($ARGV[2]);`,
		"our $server = $ARGV[2];\nEND { $? = $server ne 'good' }",
		"package Other;\nour $server ||= $ARGV[2]; exit($server ne 'good');",
	} {
		f := newPerlFile(t, code)
		f.expect("exit status 0", "a", "b", "good")
		f.expect("exit status 1", "a", "b", "bad")
		f.expect("exit status 0", "a", "b", "good")
	}
}

// When many checks are made at a time, few processes wait for others.
func TestFewPerlProcessesWait(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	f := newPerlFile(t, `select undef, undef, undef, 0.01 while !-e "`+gate+`"`)
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() { f.expect("exit status 0", "a", "b", strconv.Itoa(i)) })
	}
	processes := func() []string {
		f.env.Perls.mu.Lock()
		defer f.env.Perls.mu.Unlock()
		if of := f.env.Perls.all[f.path]; of.Helper != nil {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", of.Pid))
			return strings.Fields(string(text))
		}
		return nil
	}
	await := func(enough func(n int) bool) {
		t.Helper()
		testkit.Until(t, 2*patient, func() bool { return enough(len(processes())) }, "processes")
	}
	await(func(n int) bool { return n == 12 })
	all := processes()
	testkit.Write(t, gate, "")
	wait.Wait()
	f.expect("exit status 0", "a", "b", "c")
	waiting := processes()
	for _, pid := range all {
		if !slices.Contains(waiting, pid) && !gone(t, pid) {
			t.Errorf("process %s lives", pid)
		}
	}
	await(func(n int) bool { return n <= 4 })
}

// One perl compiles the file, even for many checks at once. A changed file, and a reload, start a new one.
func TestAPerlIsStartedForEachChangeOfItsFile(t *testing.T) {
	f := newPerlFile(t, "BEGIN { $main::perl = $$ } print $main::perl; exit 1;")
	var wait sync.WaitGroup
	said := make([]string, 20)
	for i := range said {
		wait.Go(func() { said[i] = f.check(strconv.Itoa(i)).Detail })
	}
	wait.Wait()
	one := fmt.Sprintf("exit status 1: %d", f.pid())
	if slices.ContainsFunc(said, func(s string) bool { return s != one }) {
		t.Errorf("%q, want %q", said, one)
	}
	before := f.pid()
	f.env.Perls.Renew()
	if f.check(); f.pid() == before {
		t.Error("a reload has the perl of before")
	}
	testkit.Script(t, f.path, "print 'new'; exit 2;")
	f.expect("exit status 2: new")
	testkit.OK(t, os.Remove(f.path))
	f.expect("exit status 2: can't open FILE: No such file or directory")
}

// A perl that was killed or hangs is a shortage of this machine. A new one makes the next check.
func TestAPerlThatDoesNotAnswerIsStartedAgain(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			f := newPerlFile(t, "print 'fine'")
			f.expect("exit status 0: fine")
			before := f.pid()
			testkit.OK(t, syscall.Kill(before, signal))
			f.limit = short
			for range 3 { // the kernel may take a moment for the signal
				if r := f.check(); !r.OK && r.Cause != checker.Shortage {
					t.Errorf("%+v", r)
				}
			}
			allGone(t, strconv.Itoa(before))
			f.limit = patient
			f.expect("exit status 0: fine")
		})
	}
}

// When the perl is lost, the checks that it had begun are killed.
func TestAPerlThatEndsLeavesNoCheckBehind(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	testkit.OK(t, syscall.Mkfifo(gate, 0o600))
	// its parent has reported the check when it waits
	f := newPerlFile(t, `1 until do { open my $of, "<", "/proc/" . getppid . "/stat"; <$of> =~ /\) S/ };
		open my $gate, ">", "`+gate+`"; print $gate $$; close $gate; sleep 60`)
	ended := make(chan Result)
	go func() { ended <- f.check() }()
	pid := testkit.Must(os.ReadFile(gate))(t)
	testkit.OK(t, syscall.Kill(f.pid(), syscall.SIGKILL))
	if r := <-ended; r.OK || r.Cause != checker.Shortage {
		t.Errorf("%+v", r)
	}

	allGone(t, string(pid))
}

// A check that hangs, or a file that hangs while it is compiled, fails at its limit. All that it started is killed,
// and no other check is delayed.
func TestAPerlFileThatHangsFails(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	hang := `$| = 1; system "sleep 60 & echo \$! $$ >` + pids + `"; $SIG{TERM} = "IGNORE"; sleep 60;`
	for name, code := range map[string]string{
		"a check":        `exit 0 if $ARGV[0] eq "good"; print "waiting\n";` + hang,
		"the whole file": "BEGIN { " + hang + " }",
	} {
		t.Run(name, func(t *testing.T) {
			f := newPerlFile(t, code)
			var wait sync.WaitGroup
			if name == "a check" {
				f.expect("exit status 0", "good")
			}
			if f.limit = 4 * short; name != "a check" {
				f.limit = short
			}
			for range 5 {
				wait.Go(func() {
					r := f.check("bad")
					if r.OK || r.Cause != checker.Timeout ||
						!strings.HasPrefix(r.Detail, "did not end in") {
						t.Errorf("%+v", r)
					}
				})
			}
			wait.Wait()
			written := testkit.Read(t, pids)
			allGone(t, strings.Fields(written)...)
		})
	}
}

// A file that takes longer to compile than a check may take fails no check.
func TestAPerlFileMayTakeLongToCompile(t *testing.T) {
	f := newPerlFile(t, "BEGIN { select undef, undef, undef, 0.5 } print 'fine'")
	f.limit = short
	f.expect("exit status 0: fine")
}

// However the daemon ends, the perl and its checks end with it.
func TestAPerlEndsWithTheDaemon(t *testing.T) {
	if path := os.Getenv("PERL_TEST_FILE"); path != "" {
		h := testkit.Must(subprocess.StartHelper(
			subprocess.Command{Argv: []string{"perl", "-", path}, Stdin: perlRunner}))(t)
		answers, _ := h.Ask("1", "a", "b", "c", "d")
		fmt.Println(h.Pid, <-answers)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	run := exec.Command(os.Args[0], "-test.run=^TestAPerlEndsWithTheDaemon$")
	run.Env = append(os.Environ(), "PERL_TEST_FILE="+newPerlFile(t, "sleep 60").path)
	said, _ := run.Output()
	pids := strings.Fields(string(said))
	if len(pids) != 2 {
		t.Fatalf("said %q", said)
	}
	allGone(t, pids...)
}

// On a machine with ten times the load that it can carry, no healthy server is taken out, and a check that hangs
// fails all the same.
func TestABusyMachineTakesNoServerOut(t *testing.T) {
	if testing.Short() {
		t.Skip("takes all processors: make race")
	}
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skip("the kernel does not say how long a process waited for a processor")
	}
	const work = "for ((i = 0; i < 20000; i++)); do :; done" // 60 ms of processor time
	good := newPerlFile(t, "my $i; $i++ while $i < 1_000_000; exit 0")
	good.limit = 300 * time.Millisecond
	program := externalSpec(writeScript(t, "#!/bin/bash\n"+work))
	program.Timeout = good.limit
	asleep := program
	asleep.Command = writeScript(t, "#!/bin/sh\nsleep 60\n")
	for range 10 * runtime.NumCPU() {
		busy := exec.Command("/bin/sh", "-c", "while :; do :; done")
		testkit.OK(t, busy.Start())
		t.Cleanup(func() { busy.Process.Kill(); busy.Wait() })
	}
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			of := map[string]Result{"perl": good.check()}
			of["program"] = checked(t, program)
			for what, r := range of {
				if !r.OK && r.Cause != checker.Shortage {
					t.Errorf("%s: %+v", what, r)
				}
			}
		})
	}
	wait.Go(func() {
		if r := checked(t, asleep); r.OK || r.Cause != checker.Timeout {
			t.Errorf("asleep: %+v", r)
		}
	})
	wait.Wait()
}
