package daemon

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker/icmp"
	"ldirectord/internal/director"
	"ldirectord/internal/instance"
	"ldirectord/internal/notify"
	"ldirectord/internal/notify/mail"
	"ldirectord/internal/notify/webhook"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/resolve"
	"ldirectord/internal/socket"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// An order whose command has given up is dropped: it is recorded in the file, where later orders may have replaced it
// by now. Here the daemon is busy with another order, and then free again.
func TestAnOrderOfSomebodyWhoHasGoneIsDropped(t *testing.T) {
	o := &standingOrders{turn: make(chan struct{}, 1)}
	carriedOut := make(chan error, 1)
	routes := http.NewServeMux()
	routes.HandleFunc("POST /order", func(_ http.ResponseWriter, r *http.Request) {
		ctx := context.WithoutCancel(r.Context()) // the daemon may notice the client's end too late
		_, err := o.inTurn(ctx)
		carriedOut <- cmp.Or(err, socket.IsAwaited(ctx))
	})
	s := filepath.Join(t.TempDir(), "a.sock")
	socket := testkit.Must(socket.Listen(t.Context(), s, routes))(t)
	t.Cleanup(func() { socket.Close() })
	o.turn <- struct{}{}
	c := testkit.Must(net.Dial("unix", s))(t)
	fmt.Fprintf(c, "POST /order HTTP/1.1\r\nHost: x\r\n\r\n")
	c.Close()
	<-o.turn
	if err := <-carriedOut; err == nil {
		t.Error("it was carried out")
	}
}

// A demotion is not carried out if a newer order waits for its turn: here it would need a director.
func TestANewerOrderOutrunsADemotion(t *testing.T) {
	o := &standingOrders{turn: make(chan struct{}, 1), role: instance.RoleOrder{Role: instance.Active}}
	for _, to := range []instance.RoleChange{instance.ToServe, instance.ToLeave} {
		o.newest = newestRole{}
		o.newest.note(to, 2)
		answer, err := o.changeRole(t.Context(), instance.ToLeave, 1, nil)
		testkit.OK(t, err)
		testkit.Equal(t, answer.Role, instance.Active, to)
	}
}

// The siblings are not demoted by an order that is outrun. If the next order is to leave, too, it is carried out.
func TestADemotionThatIsOutrunLeavesTheSiblings(t *testing.T) {
	active := instance.RoleOrder{Role: instance.Active}
	d := &daemon{director: director.New(director.Deps{}), siblings: &siblings{role: active}}
	o := &standingOrders{d: d}
	o.newest.note(instance.ToServe, 2)
	testkit.OK(t, o.setRole(t.Context(), instance.RoleOrder{Role: instance.Standby, Given: 1}, nil))
	testkit.Equal(t, d.siblings.role, active)
	gone := testkit.Ended(t)
	testkit.FailsWith(t, o.setRole(gone, instance.RoleOrder{Role: instance.Standby, Given: 3}, nil), "did not take")
}

// A newer order to serve ends the wait for a demotion, whichever of the two comes first. An older one does not.
func TestWhatEndsTheWaitForADemotion(t *testing.T) {
	for _, isFirst := range []bool{true, false} {
		for given, ends := range map[time.Duration]bool{1: false, 3: true} {
			var n newestRole
			if isFirst {
				n.note(instance.ToServe, given)
			}
			ctx, end := n.demotes(t.Context(), 2)
			if !isFirst {
				n.note(instance.ToServe, given)
			}
			testkit.Equal(t, ctx.Err() != nil, ends, given, isFirst)
			end()
		}
	}
}

// When the director refuses a configuration, here because it has ended, the other parts of the daemon keep the old
// one too.
func TestAReloadIsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ld.cf")
	write := func(logfile string) {
		testkit.Write(t, file, "logfile = \""+filepath.Join(dir, logfile)+"\"\n"+oneServer)
	}
	synctest.Test(t, func(t *testing.T) {
		write("old")
		d, end := loadedDaemon(t, file)
		f := newConfigFile(d)
		write("new")
		ctx := testkit.Within(t, time.Minute)
		if f.reload(ctx, request{}) == nil || f.current != d.Loaded {
			t.Error("the refused configuration is in force")
		}
		d.journal.Emit(notify.Event{Text: "the last word"})
		end()
		testkit.Contains(t, testkit.Read(t, filepath.Join(dir, "old")), "the last word", "the old log")
	})
}

// What can't be read for a while is read when that is over, even if it does not change. That is reported once,
// whichever file it is, and further looks cost little.
func TestAShortageDelaysAReload(t *testing.T) {
	dir := t.TempDir()
	file, log := filepath.Join(dir, "ld.cf"), filepath.Join(dir, "log")
	text := "autoreload = yes\nlogfile = \"" + log + "\"\n" + oneServer
	testkit.Write(t, file, text)
	synctest.Test(t, func(t *testing.T) {
		d, end := loadedDaemon(t, file)
		d.journal.Emit(notify.Event{Text: "opens the log"})
		synctest.Wait()
		f := newConfigFile(d)
		testkit.Write(t, file, text+"nonsense\n")
		secret := &plan.Plan{Config: &parser.Config{Secrets: map[string][sha256.Size]byte{file: {}}}}
		f.tls = tlsWatch{plan: secret, files: []string{file}, settling: true}
		f.tls.last = f.tls.now()
		testkit.WithoutDescriptors(t, func() {
			var before, now runtime.MemStats
			for i := range 2 {
				runtime.ReadMemStats(&before)
				f.look(t.Context())
				testkit.Equal(t, f.retry, minLookupRetry<<i, "until the next look")
				f.lookAtTLS(t.Context())
				d.Config.Path = dir + "/./ld.cf"
			}
			runtime.ReadMemStats(&now)
			testkit.Equal(t, now.NumForcedGC, before.NumForcedGC, "collections")
			_, _, err := readPart(file)
			testkit.FailsWith(t, err, "too many open files", "of a part")
		})
		f.look(t.Context())
		testkit.Equal(t, f.retry, 4*minLookupRetry, "until the next look at what is refused")
		d.Config.Path, f.tls.unread = "/proc/self/mem", false // an input/output error
		f.lookAtTLS(t.Context())
		f.lookAtTLS(t.Context())
		d.Config.Path = file
		f.lookAtTLS(t.Context())
		end()
		said := testkit.Read(t, log)
		testkit.Equal(t, strings.Count(said, "too many open files"), 2, said)
		testkit.Equal(t, strings.Count(said, "input/output error"), 1, said)
		testkit.Equal(t, strings.Count(said, "nonsense"), 2, said)
	})
}

// Wherever a panic is on the way from a file to its plan, the file is refused, with the place, and the daemon continues
// with the one in force: by a command or HUP, by autoreload or a new certificate, and when names are looked up again.
func TestAPanicOnTheWayToAPlanRefusesTheFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ld.cf")
	ways := map[string]func(context.Context, *configFile){
		"a command":  func(ctx context.Context, f *configFile) { f.reload(ctx, request{}) },
		"autoreload": func(ctx context.Context, f *configFile) { f.look(ctx) },
		"a certificate": func(ctx context.Context, f *configFile) {
			text, err := f.d.Config.Read()
			f.takeRead(ctx, text, err, request{auto: true})
		},
		"names": func(ctx context.Context, f *configFile) { f.refine(ctx, nil) },
	}
	stages := map[string]func(*configFile){
		"while checkers are made": func(f *configFile) { f.d.Config.Checks = nil },
		"before it is parsed": func(f *configFile) {
			f.d.director, f.current.Config.Names = nil,
				[]resolve.Name{{Key: resolve.Key{Host: "web1"}, Followed: true}}
		},
	}
	for way, take := range ways {
		for stage, spoil := range stages {
			if way == "names" && stage == "before it is parsed" {
				continue // nothing of the file has a part there
			}
			t.Run(way+" "+stage, func(t *testing.T) {
				text := "autoreload = yes\nlogfile = \"" + filepath.Join(dir, "log") + "\"\n" +
					oneServer
				testkit.Write(t, file, text)
				synctest.Test(t, func(t *testing.T) {
					d, end := loadedDaemon(t, file)
					f := newConfigFile(d)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					testkit.Write(t, file, text+"# new\n")
					spoil(f)
					take(ctx, f)
					testkit.Equal(t, f.current, d.Loaded, "the configuration in force")
					end()
					log := filepath.Join(dir, "log")
					testkit.Contains(t, testkit.Read(t, log), "a fault in ldirectord: ")
					os.Remove(log)
				})
			})
		}
	}
}

// loadedDaemon is a daemon that has loaded a file, and whose director does not run. The function ends the rest of it.
func loadedDaemon(t *testing.T, file string) (d *daemon, end func()) {
	t.Helper()
	env := NewEnvironment(icmp.NewPinger())
	source := Source{Path: file, Checks: env}
	l, err := Load(t.Context(), source)
	if err != nil || l.Plan == nil {
		t.Fatal(err, l)
	}
	d = &daemon{Options: Options{Config: source, Loaded: l, Manager: &ServiceManager{}},
		tally: newTally(Options{}), director: director.New(director.Deps{})}
	d.claims, d.orders = &claims{}, &standingOrders{}
	d.log = newLogSink(d.Options, l.Config.Global)
	d.mailer = mail.New(func(notify.Event) {})
	d.webhook = webhook.New(func(notify.Event) {})
	d.journal = notify.NewJournal(d.log.Notify)
	d.hooks, d.monitor = notify.NewHooks(d.journal), notify.NewMonitor(d.journal.Emit)
	d.metrics = &metricsServer{end: func() {}}
	return d, func() {
		closing := context.WithoutCancel(t.Context())
		d.monitor.Close(closing)
		d.journal.Close(closing)
		d.mailer.Close(closing)
		d.webhook.Close(closing)
		env.Close()
	}
}

// An address without a port names no virtual service. The message must not say that the real server is missing.
func TestWhoIsNotThereToDrain(t *testing.T) {
	for virtual, want := range map[string]string{
		"": "a.cf has no real server 10.0.0.1",
		"10.9.9.1": "a.cf has no virtual service 10.9.9.1 with a real server 10.0.0.1; " +
			"a virtual service is named by ADDRESS:PORT as in status, by its mark, or by its servicename",
	} {
		testkit.Fails(t,
			testkit.Error(meantBy(orders.Request{Virtual: virtual, Real: "10.0.0.1"}, &view.Snapshot{}, nil,
				"a.cf")),
			want)
	}
}

const oneServer = "virtual = 10.1.0.1:7000\n\treal = 10.2.0.1:7000 gate\n\tchecktype = on\n"
