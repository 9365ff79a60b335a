package lab

import (
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ldirectord/internal/testkit"
)

// Each of these plays a script of testdata.
func TestKernelAnnounced(t *testing.T)                        { newLab(t).play("announced") }
func TestKernelAnnouncedCheckVIP(t *testing.T)                { newTrafficLab(t).play("announced-checkvip") }
func TestKernelCheckVIP(t *testing.T)                         { newTrafficLab(t).play("checkvip") }
func TestKernelCheckVIPBrake(t *testing.T)                    { newTrafficLab(t).play("checkvip-brake") }
func TestKernelCheckVIPEnds(t *testing.T)                     { newTrafficLab(t).play("checkvip-ends") }
func TestKernelCheckVIPPromoted(t *testing.T)                 { newTrafficLab(t).play("checkvip-promoted") }
func TestKernelCheckVIPChangedByHand(t *testing.T)            { newTrafficLab(t).play("checkvip-changed") }
func TestKernelCheckVIPElsewhere(t *testing.T)                { newTrafficLab(t).play("checkvip-elsewhere") }
func TestKernelCheckVIPJumbo(t *testing.T)                    { newTrafficLab(t).play("checkvip-jumbo") }
func TestKernelCheckVIPFromLo(t *testing.T)                   { newTrafficLab(t).play("checkvip-fromlo") }
func TestKernelCheckVIPFilter6(t *testing.T)                  { newTrafficLab(t).play("checkvip-filter6") }
func TestKernelCheckVIPMarksChanged(t *testing.T)             { newTrafficLab(t).play("checkvip-marks") }
func TestKernelCheckVIPReload(t *testing.T)                   { newTrafficLab(t).play("checkvip-reload") }
func TestKernelCheckVIPRights(t *testing.T)                   { newTrafficLab(t).play("checkvip-rights") }
func TestKernelCheckVIPTwoDaemons(t *testing.T)               { newTrafficLab(t).play("checkvip-two") }
func TestKernelLoopbackByMasq(t *testing.T)                   { newTrafficLab(t).play("loopback") }
func TestKernelCrashedDaemonLeavesNothingBehind(t *testing.T) { newLab(t).play("crash") }
func TestKernelDrainWaitsForConnections(t *testing.T)         { newLab(t).play("drain") }
func TestKernelFailover(t *testing.T)                         { newLab(t).play("failover") }
func TestKernelMarkRulesFollowTheFile(t *testing.T)           { newLab(t).play("marks") }
func TestKernelMarkThatNobodySetsIsTold(t *testing.T)         { newLab(t).play("marks-unset") }
func TestKernelDoctorTriesToSetMarks(t *testing.T)            { newLabOf(t, 0).play("marks-try") }
func TestKernelStatusShowsConnections(t *testing.T)           { newLab(t).play("status") }
func TestKernelOnFailOverACrash(t *testing.T)                 { newLab(t).play("onfail") }
func TestKernelTimeoutsOfTwoDaemons(t *testing.T)             { newLab(t).play("timeouts") }
func TestKernelOrdersEnd(t *testing.T)                        { newLab(t).play("orders") }
func TestKernelAnOrderOutlastsTheClock(t *testing.T)          { newLab(t).play("orders-clock") }
func TestKernelWithdrawOn(t *testing.T)                       { newLab(t).play("withdrawon") }
func TestKernelWithdrawWaitsForPackets(t *testing.T)          { newLabOf(t, 1).play("withdraw") }
func TestKernelCheckTellsOfClientsThatStay(t *testing.T)      { newLabOf(t, 0).play("stay") }
func TestKernelCheckAndPlanKnowTheMarks(t *testing.T)         { newLabOf(t, 0).play("marks-check") }
func TestKernelModuleIsLoadedAgain(t *testing.T)              { newLabOf(t, 0).play("module-reloaded") }
func TestKernelSchedulerThatTheKernelLacks(t *testing.T)      { newLabOf(t, 0).play("scheduler-unknown") }
func TestKernelModprobeThatHangs(t *testing.T)                { newTrafficLab(t).play("modprobe-hangs") }
func TestKernelDoctorFindsAndMends(t *testing.T)              { newLabOf(t, 2).play("doctor") }
func TestKernelCheckVIPFindsFaults(t *testing.T)              { newTrafficLab(t).play("checkvip-faults") }
func TestKernelOrigin(t *testing.T)                           { newLabOf(t, 1).play("origin") }
func TestKernelProbeShowsBothWays(t *testing.T)               { newLabOf(t, 2).play("probe") }
func TestKernelShadow(t *testing.T)                           { newLab(t).play("shadow") }
func TestKernelRealServerScriptUndoesOnlyWhatItDid(t *testing.T) {
	newNetwork(t, 1).play("realserver-script")
}

// play plays scripts of testdata in the lab, one after the other.
func (l *lab) play(names string) {
	l.t.Helper()
	params := testscript.Params{
		Files: testkit.Files(l.t, "testdata/"+names+".txtar"),
		Setup: l.newScene,
		Condition: func(what string) (bool, error) {
			return map[string]bool{"uml": ownKernel(), "long": os.Getenv("LONG_TESTS") != "",
				"perl": os.Getenv("PERL_LDIRECTORD") != ""}[what], nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){},
	}
	params.Deadline, _ = l.t.Deadline()
	all := maps.Clone(steps)
	for name, step := range failureSteps {
		all[name] = func(s *scene, args []string) { step(s.failures, args) }
	}
	for name, step := range all {
		params.Cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			s := ts.Value(sceneOf{}).(*scene)
			s.ts, s.is = ts, !neg
			if neg && name != "prints" && name != "logs" {
				ts.Fatalf("%s takes no !", name)
			}
			step(s, args)
		}
	}
	testscript.RunT(scriptT{l.t}, params)
}

// sceneOf is the key of a script's scene.
type sceneOf struct{}

// newScene begins a script. At its end the director's table is empty, and no program runs there.
func (l *lab) newScene(e *testscript.Env) error {
	own := l.with(e.T().(scriptT).T)
	own.dir, own.log = e.WorkDir, filepath.Join(e.WorkDir, "log")
	e.Values[sceneOf{}] = &scene{lab: own, marks: map[string]int{}, webs: map[string]*web{},
		listeners: map[string]net.Listener{}}
	e.Setenv("P", l.prefix)
	e.Setenv("LDIRECTORD", program(own.t))
	e.Setenv("DOCS", testkit.Must(filepath.Abs("../../docs"))(own.t))
	e.Setenv("PERL_LDIRECTORD", os.Getenv("PERL_LDIRECTORD"))
	e.Defer(func() {
		own.vacate("dir")
		own.ipvsadm("-C")
		own.sh("umount -lq %s/* 2>/dev/null || true", own.dir)
		logs, _ := filepath.Glob(own.dir + "/*log")
		for _, log := range logs {
			if own.t.Failed() {
				own.t.Logf("%s:\n%s", log, testkit.Read(own.t, log))
			}
		}
	})
	return nil
}

// scriptT makes scripts wait for each other: they share a lab.
type scriptT struct{ *testing.T }

func (scriptT) Parallel()     {}
func (scriptT) Verbose() bool { return testing.Verbose() }
func (t scriptT) Run(name string, play func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { play(scriptT{t}) })
}

// runs runs the program with a configuration.
func (s *scene) runs(want int, config string, args []string) {
	s.t.Helper()
	s.tells(s.run(want, append([]string{filepath.Join(s.dir, config)}, args...)...))
}

// tells keeps an output for prints and for testscript's stdout.
func (s *scene) tells(out string) {
	s.said = out
	io.WriteString(s.ts.Stdout(), out)
}

// has checks that a text has each of these parts, or none of them.
func (s *scene) has(is bool, text string, parts []string) {
	s.t.Helper()
	for _, part := range parts {
		testkit.Equal(s.t, strings.Contains(text, part), is, "there is", part, text)
	}
}

// measure notes how long each log is.
func (s *scene) measure() {
	for _, log := range testkit.Must(filepath.Glob(s.dir + "/*log"))(s.t) {
		s.marks[filepath.Base(log)] = len(testkit.Read(s.t, log))
	}
}

// lines replaces the names of files by their lines.
func (s *scene) lines(args []string) (lines []string) {
	for _, arg := range args {
		if text, err := os.ReadFile(filepath.Join(s.dir, arg)); err == nil {
			arg = strings.TrimSpace(string(text))
		}
		lines = append(lines, strings.Split(arg, "\n")...)
	}
	return lines
}

func (s *scene) number(arg string) int { return testkit.Must(strconv.Atoi(arg))(s.t) }

func (s *scene) time(arg string) time.Duration { return testkit.Must(time.ParseDuration(arg))(s.t) }
