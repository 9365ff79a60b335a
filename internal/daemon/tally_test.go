package daemon

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/instance"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/notify/mail"
	"ldirectord/internal/plan"
	"ldirectord/internal/resolve"
	"ldirectord/internal/status"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

func TestFailuresAreShownUntilTheyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tally := newTally(Options{})
		shown := func() string {
			var texts []string
			for _, f := range tally.process().Failures {
				texts = append(texts, f.Text)
			}
			return strings.Join(texts, ", ")
		}
		for _, row := range testkit.Table(t, "testdata/failures.txt", 3) {
			time.Sleep(time.Second)
			kind, what := notify.Kind(row[0]), row[1]
			tally.Notify(notify.Event{Time: time.Now(), Kind: kind, Key: what, Text: what})
			testkit.Equal(t, shown(), row[2], "after", row[0], row[1])
		}
		was := shown()
		tally.Notify(notify.Event{Time: time.Now(), Kind: notify.HookFailed, Key: "command", Text: "command"})
		testkit.Equal(t, shown(), "command, "+was)
		time.Sleep(hookFailureLasts)
		testkit.Equal(t, shown(), was, "after a day in which nothing was tried")
	})
}

// counted is a daemon without parts, whose events are counted.
func counted() *daemon {
	d := &daemon{tally: newTally(Options{}), lock: &instance.Lock{}}
	d.journal = notify.NewJournal(d.tally.Notify)
	return d
}

// A role that can't be read for a while is one failure, also after a reload. It ends when the role is read, although
// the file is the same, or when the file is removed.
func TestAShortageDelaysARole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := counted()
		d.lock.Role = filepath.Join(t.TempDir(), "role")
		o := &standingOrders{d: d}
		testkit.OK(t, o.roleFile().Write(instance.RoleOrder{}))
		testkit.WithoutDescriptors(t, func() {
			for range 2 {
				testkit.Equal(t, o.followRole(t.Context()), false, "during the shortage")
			}
		})
		synctest.Wait()
		d.tally.forget(notify.KeepFailed)
		failed := d.tally.process()
		testkit.Equal(t, failed.Events[string(notify.KeepFailed)], 1, failed.Failures)
		testkit.Equal(t, len(failed.Failures), 1, "failures after a reload")
		testkit.Equal(t, o.followRole(t.Context()), true, "afterwards")
		testkit.Equal(t, len(d.tally.process().Failures), 0, "failures")
		testkit.Write(t, d.lock.Role, "nonsense")
		for _, want := range []int{1, 0} {
			o.followRole(t.Context())
			synctest.Wait()
			testkit.Equal(t, len(d.tally.process().Failures), want, "failures")
			os.Remove(d.lock.Role)
		}
		d.journal.Close(t.Context())
	})
}

// The control socket has one fault at most, beside that of the metrics.
func TestAFaultOfTheControlSocketEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := counted()
		metrics := func(kind notify.Kind) { d.say(kind, "metrics") }
		fails, works := func() { d.listens(errors.New("no group")) }, func() { d.listens(nil) }
		for i, step := range []struct {
			happens func()
			shown   int
		}{
			{works, 0}, {fails, 1}, {fails, 1}, {works, 0}, {works, 0},
			{func() { metrics(notify.ListenFailed) }, 1}, {fails, 1}, {fails, 1}, {works, 1},
			{func() { metrics(notify.Listening) }, 0},
		} {
			step.happens()
			synctest.Wait()
			testkit.Equal(t, len(d.tally.process().Failures), step.shown, "after step", i)
		}
		d.journal.Close(t.Context())
	})
}

// What can't be kept for the next start is a failure until it can be.
func TestWhatIsNeededIsKeptAgain(t *testing.T) {
	for what, keep := range map[string]func(f *configFile){
		"addresses": (*configFile).remember,
		"role":      func(f *configFile) { _ = f.d.orders.saveRole(instance.RoleOrder{Role: instance.Active}) },
		"lists":     (*configFile).adoptLists,
		"file":      func(f *configFile) { f.keepGood(nil) },
	} {
		dir := filepath.Join(t.TempDir(), "lost")
		t.Setenv("STATE_DIRECTORY", dir)
		synctest.Test(t, func(t *testing.T) {
			d := counted()
			d.lock.Names, d.lock.Role = filepath.Join(dir, "names"), filepath.Join(dir, "role")
			d.orders = newOrders(d)
			testkit.Write(t, dir, "a file in place of the folder")
			f := &configFile{d: d, current: &Loaded{Config: &parser.Config{}}, lists: newListWatch()}
			f.current.Lists = lists{"/a": {}, "/b": {}}
			f.current.Config.Names = []resolve.Name{{Addr: netip.MustParseAddr("10.2.0.1")}}
			for i, want := range []int{1, 1, 0, 0} {
				if i == 2 {
					testkit.OK(t, os.Remove(dir))
					testkit.OK(t, os.Mkdir(dir, 0o700))
				}
				keep(f)
				synctest.Wait()
				testkit.Equal(t, len(d.tally.process().Failures), want, what, "after", i)
			}
			testkit.Equal(t, d.tally.process().Events["hook-failed"], 0, what)
			d.journal.Close(t.Context())
		})
	}
}

// No command failed where a file of orders can't be read.
func TestOrdersThatCannotBeRead(t *testing.T) {
	d := counted()
	d.lock.Drain, d.lock.Role = t.TempDir(), t.TempDir()
	newOrders(d)
	d.journal.Close(t.Context())
	testkit.Equal(t, d.tally.process().Events["keep-failed"], 2)
}

// Each failure of a command or a monitorfile is over when the configuration in force no longer has it, and that of a
// sibling one reload later.
func TestFailuresEndWithWhatFails(t *testing.T) {
	d := counted()
	d.hooks, d.monitor = notify.NewHooks(d.journal), notify.NewMonitor(d.journal.Emit)
	d.siblings = &siblings{d: d, names: []string{"a.cf", "-b.cf"}}
	v := &parser.Virtual{ID: "fwm:3"}
	v.FallbackCommand, v.OnChange, v.MonitorFile = "false", "false", "/proc/absent"
	was := &plan.Plan{Config: &parser.Config{}, Services: []*plan.Service{{Config: v}}}
	was.Config.Global.Callback = "false"
	d.hooks.Run(notify.FallbackCommand(v.FallbackCommand, v.Key, "start"))
	d.hooks.Run(notify.OnChange(v.OnChange, v.ID, notify.Report{}))
	d.hooks.Run(notify.Callback("false", "file"))
	d.siblings.run(d.siblings.names, "", "false", nil)
	d.monitor.Record(v.MonitorFile, "id", true, "")
	d.hooks.Close(t.Context())
	testkit.OK(t, d.monitor.Close(t.Context()))
	d.forget(was, d.siblings.used())
	d.siblings.names, d.siblings.gone = nil, []string{"-b.cf"}
	d.forget(&plan.Plan{Config: &parser.Config{}}, d.siblings.used())
	d.journal.Close(t.Context())
	var got []uint64
	for _, kind := range []string{"hook-failed", "hook-recovered", "monitor-failed", "monitor-recovered"} {
		got = append(got, d.tally.process().Events[kind])
	}
	testkit.Same(t, got, []uint64{5, 4, 1, 1}, "events")
	testkit.Equal(t, len(d.tally.process().Failures), 1, "the sibling that the last reload could not stop")
}

// The end is bounded although nobody reads the log, and a mail can't be sent.
func TestTheEndWaitsForNoLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		d := &daemon{log: newLogSink(Options{Debug: true}, parser.Global{}), tally: newTally(Options{})}
		d.log.fixed, d.Stderr = gated{gate}, gated{gate}
		d.Loaded = &Loaded{Plan: &plan.Plan{Config: &parser.Config{}}}
		d.openChannels()
		rule := mail.Rule{To: "root", SMTP: "127.0.0.1:1", Statuses: []lvs.Status{"all"}}
		d.mailer.Set(map[string]mail.Rule{"fwm:1": rule})
		d.journal.Emit(notify.Event{Kind: notify.Deleted, Virtual: "fwm:1", Real: "10.2.0.1:80",
			Text: "Deleted real server: 10.2.0.1:80 (fwm:1)", Status: lvs.StatusRunning})
		synctest.Wait()
		begun := time.Now()
		d.closeChannels("TERM", nil)
		if took := time.Since(begun); took > 12*time.Second {
			t.Errorf("it took %v", took)
		}
		close(gate)
	})
}

// gated is a pipe that nobody reads.
type gated struct{ gate chan struct{} }

func (g gated) Write(p []byte) (int, error) {
	<-g.gate
	return len(p), nil
}

// The last events that matter are shown. Events at the same time are one entry, and there are at most five.
func TestTheLastEventsThatMatter(t *testing.T) {
	tally, now := newTally(Options{}), time.Now()
	happens := func(after time.Duration, kind notify.Kind, text string) {
		tally.Notify(notify.Event{Time: now.Add(after), Kind: kind, Text: text})
	}
	for range 2000 {
		happens(0, notify.ChangedByHand, "the table is emptied")
	}
	happens(0, notify.Added, "a server")
	before := tally.process()
	happens(10*time.Millisecond, notify.ChangedByHand, "a mark rule")
	if last := before.Last; len(last) != 1 || last[0].More != 1999 || last[0].Event != "changed-by-hand" {
		t.Errorf("%+v", last)
	}
	for i := range 5 {
		happens(time.Duration(i+1)*time.Minute, notify.TableError, "refused")
	}
	last := tally.process().Last
	if len(last) != 5 || last[0].More != 0 || !last[4].At.Equal(now.Add(5*time.Minute)) {
		t.Errorf("%+v", last)
	}
	// The clock is set forward and back: these are two events.
	happens(3*time.Hour, notify.ClockSet, "forward")
	happens(6*time.Minute, notify.ClockSet, "back")
	if last := tally.process().Last; last[4].Text != "back" || last[3].More != 0 {
		t.Errorf("%+v", last)
	}
}

// slowTable answers for the first virtual service, and is late after that.
type slowTable struct {
	ipvsctl.Client
	asked int
}

func (s *slowTable) Services(_ context.Context, keys ...lvs.Key) (lvs.Table, error) {
	if s.asked++; s.asked > 1 {
		return nil, context.DeadlineExceeded
	}
	addr := netip.MustParseAddrPort("10.0.0.1:80")
	return lvs.Table{keys[0]: {Counters: map[netip.AddrPort]lvs.Counters{addr: {Active: 1}}}}, nil
}

// Who needs all counters has to know that some are missing.
func TestCountersThatAreNotComplete(t *testing.T) {
	one := view.Virtual{ID: "fwm:1", Key: lvs.Key{Mark: 1}, Servers: []view.Server{
		{Real: "10.0.0.1:80", Addr: netip.MustParseAddrPort("10.0.0.1:80")}}}
	now := &view.Snapshot{Virtuals: []view.Virtual{one, {ID: "fwm:2", Key: lvs.Key{Mark: 2}}}}
	d := &daemon{Options: Options{Table: ipvsctl.Access{Live: &slowTable{}}}}
	err := d.count(t.Context(), now)
	if got := now.Virtuals[0].Servers[0].Connections; got == nil || got.Active != 1 ||
		!errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v %v", got, err)
	}
}

func TestReloadsAreCounted(t *testing.T) {
	c := newTally(Options{})
	now := func() status.Reloads { return c.process().Reloads }
	began := now().Last
	c.reread("line 1", false)
	c.reread("line 2", false)
	if r := now(); r.Refused != 2 || r.Error != "line 2" || !r.Last.Equal(began) {
		t.Errorf("%+v", r)
	}
	c.reread("the former", true)
	c.reread("", true)
	if r := now(); r.Succeeded != 1 || r.Refused != 2 || r.Error != "line 2" {
		t.Errorf("the file is still refused: %+v", r)
	}
	c.reread("", false)
	c.reread("the former", true)
	c.reread("", true)
	if r := now(); r.Succeeded != 3 || r.Error != "" || r.Last.Equal(began) {
		t.Errorf("%+v", r)
	}
	if p := c.process(); began == began.Round(0) || p.Reloads.Last == p.Reloads.Last.Round(0) ||
		p.Started == p.Started.Round(0) {
		t.Error("their ages would be wrong once the clock is set: they have no monotonic time")
	}
}

// An order that a daemon carries out while it ends does not start a sibling after the sibling's stop.
func TestNothingStartsASiblingAfterItsStop(t *testing.T) {
	d := counted()
	d.hooks = notify.NewHooks(d.journal)
	s := &siblings{d: d}
	s.stop(nil)
	s.run([]string{"a.cf"}, "", "false", nil)
	d.hooks.Close(t.Context())
	d.journal.Close(t.Context())
	testkit.Equal(t, d.tally.process().Events["hook-failed"], 0)
}
