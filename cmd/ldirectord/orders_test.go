package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/notify"
	"ldirectord/notify/mail"
)

// A reload that comes while another file is being read gets the outcome of its own reading, not of that one.
func TestReloadHasItsOwnAnswer(t *testing.T) {
	var large strings.Builder // reading it takes a while
	for i := range 3000 {
		fmt.Fprintf(&large, "virtual = 10.1.%d.%d:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = off\n", i/250, i%250)
	}
	for what, c := range map[string]struct{ first, second, want string }{
		"good":    {large.String() + "nonsense = 1\n", twoServers, ""},
		"refused": {large.String(), twoServers + "\tnonsense = 1\n", "the file is refused: "},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			head := "autoreload = yes\n"
			d := launched(t, "start", head+twoServers)
			d.replace(head + c.first)
			within(t, "sign that the first file is being read", func() bool {
				text, err := os.ReadFile(filepath.Join(d.dir, "log"))
				return err == nil && strings.Contains(string(text), "has changed on disk")
			})
			d.replace(head + c.second)
			err := d.options().socket().Order(t.Context(), takeOverTime, "/reload", nil, new(struct{}))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "" && len(d.report().Virtuals) != 1:
				t.Errorf("%d virtual services are in force, want 1", len(d.report().Virtuals))
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// replace puts another file in the place of the configuration.
func (d *runningDaemon) replace(config string) {
	d.t.Helper()
	fresh := filepath.Join(d.dir, "fresh")
	if err := os.WriteFile(fresh, []byte(fmt.Sprintf("logfile = \"%s/log\"\n%s", d.dir, config)), 0o600); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(fresh, filepath.Join(d.dir, "ld.cf")); err != nil {
		d.t.Fatal(err)
	}
}

// Whoever may read the files that remember orders can lock them. That holds up nobody: nobody else locks them.
func TestALockOnWhatIsRememberedHoldsUpNothing(t *testing.T) {
	d := launched(t, "standby", twoServers)
	d.tell("notify", "backup")
	d.tell("drain", "10.2.0.1")
	for _, name := range []string{"role", "drain"} {
		f, err := os.Open(filepath.Join(d.dir, "ldirectord.ld.cf."+name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Fatal(err)
		}
		if mode := modeOf(t, f.Name()); mode != 0o600 {
			t.Errorf("%s: mode %v", name, mode)
		}
	}
	d.tell("notify", "master")
	d.tell("drain", "10.2.0.2", "--force")
	d.tell("restart")
	if r := d.report(); r.Role != "active" || r.Virtuals[0].Servers[0].State != "drained" || r.Virtuals[0].Servers[1].State != "drained" {
		t.Errorf("after a restart: %s, %v", r.Role, r.Virtuals[0].Servers)
	}
}

// Orders are the owner's; the members of statusgroup, and whoever is not known, may only ask.
func TestOrdersAreTheOwnersAlone(t *testing.T) {
	carriedOut := false
	routes := http.NewServeMux()
	routes.HandleFunc("POST /order", ordered(takeTime, func(context.Context, url.Values) (any, error) { carriedOut = true; return "done", nil }))
	l, err := net.Listen("tcp4", "127.0.0.1:0") // nobody is known there
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(t.Context(), routes)
	go server.Serve(door{l})
	t.Cleanup(func() { server.Close() })
	answer, err := http.Post("http://"+l.Addr().String()+"/order", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusForbidden || !strings.Contains(string(text), "the members of statusgroup may ask") || carriedOut {
		t.Errorf("%d %q, carried out: %v", answer.StatusCode, text, carriedOut)
	}

	s := inFolder(t)
	listening(t, s, routes) // here we are the owner
	var said string
	if err := s.Order(t.Context(), takeTime, "/order", nil, &said); err != nil || said != "done" || !carriedOut {
		t.Errorf("%q, %v", said, err)
	}
}

// What a command does next depends on why it has no answer.
func TestWhyAnOrderHasNoAnswer(t *testing.T) {
	ending, end := context.WithCancelCause(t.Context())
	end(endedBy("TERM"))
	for what, c := range map[string]struct {
		serve func(w http.ResponseWriter, r *http.Request) // nil: no socket
		ctx   context.Context
		want  error
	}{
		"no daemon":          {nil, t.Context(), instance.ErrNoListener},
		"the version before": {http.NotFound, t.Context(), instance.ErrNoListener},
		"one that ends":      {ordered(time.Second, func(ctx context.Context, _ url.Values) (any, error) { return nil, context.Cause(ctx) }), ending, instance.ErrEnding},
		"one that dies":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, t.Context(), instance.ErrEnding},
		"one that hangs":     {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, t.Context(), instance.ErrNoAnswer},
		"one that refuses":   {ordered(time.Second, func(context.Context, url.Values) (any, error) { return nil, notDone("no") }), t.Context(), &instance.Refusal{Status: http.StatusConflict}},
		"one that is late":   {ordered(time.Nanosecond, func(ctx context.Context, _ url.Values) (any, error) { <-ctx.Done(); return nil, ctx.Err() }), t.Context(), &instance.Refusal{Status: http.StatusGatewayTimeout}},
	} {
		t.Run(what, func(t *testing.T) {
			s := inFolder(t)
			if c.serve != nil {
				control, err := listenAt(c.ctx, string(s), http.HandlerFunc(c.serve))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { control.close() })
			}
			err := s.Order(t.Context(), -time.Second/2, "/order", nil, new(struct{}))
			var got, want *instance.Refusal
			if errors.As(c.want, &want) {
				if !errors.As(err, &got) || got.Status != want.Status || got.IsFinal() != (want.Status == http.StatusConflict) {
					t.Errorf("%v, want %v", err, want)
				}
			} else if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// An order to drain whose sender has given up is not carried out any more: he recorded it, and later ones may be
// recorded by now. Here the daemon is at another order, and then free again.
func TestAnOrderOfSomebodyWhoHasGoneIsDropped(t *testing.T) {
	d := &daemon{turn: make(chan struct{}, 1)}
	carriedOut := make(chan error, 1)
	routes := http.NewServeMux()
	routes.HandleFunc("POST /order", func(_ http.ResponseWriter, r *http.Request) {
		ctx := context.WithoutCancel(r.Context()) // that he has gone may not be known yet
		_, err := d.inTurn(ctx)
		carriedOut <- cmp.Or(err, isAwaited(ctx))
	})
	s := inFolder(t)
	listening(t, s, routes)
	d.turn <- struct{}{}
	c, err := net.Dial("unix", string(s))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /order HTTP/1.1\r\nHost: x\r\n\r\n")
	c.Close()
	<-d.turn
	if err := <-carriedOut; err == nil {
		t.Error("it was carried out")
	}
}

// A configuration that the director does not take is not taken by what is around it: here it has ended.
func TestAReloadIsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ld.cf")
	write := func(logfile string) {
		if err := os.WriteFile(file, []byte("logfile = \""+filepath.Join(dir, logfile)+"\"\n"+twoServers), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		a := &app{options: options{path: file, config: file, ipvs: "memory", runDir: dir}, stdout: io.Discard, stderr: io.Discard, env: newEnvironment("start")}
		defer a.env.close()
		write("old")
		old, err := a.load(t.Context())
		if err != nil || old.plan == nil {
			t.Fatal(err, old)
		}
		a.loaded = old
		d := &daemon{app: a, log: newLogSink(a, old.config.Global.LogFile), director: director.New(director.Deps{})}
		d.mailer = mail.New(func(notify.Event) {})
		d.journal = notify.NewJournal(d.log)
		d.metrics = &metricsServer{addrs: make(chan netip.AddrPort, 8)}
		f := &configFile{daemon: d, now: &reading{}}
		write("new")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		taken := f.take(ctx, old, false)
		if taken.loaded != nil || taken.why == "" {
			t.Errorf("it was taken: %+v", taken)
		}
		d.journal.Emit(notify.Event{Text: "the last word"})
		closing := context.WithoutCancel(t.Context())
		d.journal.Close(closing)
		d.mailer.Close(closing)
		if text, _ := os.ReadFile(filepath.Join(dir, "old")); !strings.Contains(string(text), "the last word") {
			t.Errorf("the old log has %q", text)
		}
	})
}

// The order that was given last wins, whichever comes first, and one that was given is carried out even if its
// command is killed meanwhile.
func TestTheLatestRoleWins(t *testing.T) {
	d := launched(t, "standby", twoServers)
	s := d.options().socket()
	var answer roleAnswer
	now := instance.SinceBoot()
	for _, o := range []struct {
		to    instance.RoleChange
		given time.Duration
		want  instance.Role
	}{
		{instance.ToServe, now, instance.Active},
		{instance.ToLeave, now - time.Second, instance.Active}, // it came late
		{instance.ToLeave, now + 1, instance.Standby},
	} {
		words := url.Values{"to": {string(o.to)}, "given": {fmt.Sprint(int64(o.given))}}
		if err := s.Order(t.Context(), takeTime, "/role", words, &answer); err != nil || answer.Role != o.want {
			t.Errorf("%v: %v, %v", o, answer, err)
		}
	}
	c, err := net.Dial("unix", string(s))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /role?to=serve HTTP/1.1\r\nHost: x\r\n\r\n")
	c.Close()
	within(t, "promotion by a command that was killed", func() bool { return d.report().Role == "active" })
}

// An address without its port names no virtual service, and it is not to look as if the server were missing.
func TestWhoIsNotThereToDrain(t *testing.T) {
	for virtual, want := range map[string]string{
		"":         "a.cf has no real server 10.0.0.1",
		"10.9.9.1": "a.cf has no virtual service 10.9.9.1 with a real server 10.0.0.1; a virtual service is called ADDRESS:PORT, as status has it, or by its mark",
	} {
		if got := noSuchServer("a.cf", virtual, "10.0.0.1"); got != want {
			t.Error(got)
		}
	}
}
