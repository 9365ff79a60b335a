package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker/icmp"
	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/notify"
	"ldirectord/notify/mail"
	"ldirectord/notify/webhook"
)

// Orders are the owner's; the members of statusgroup, and whoever is not known, may only ask.
func TestOrdersAreTheOwnersAlone(t *testing.T) {
	carriedOut := false
	routes := http.NewServeMux()
	routes.HandleFunc("POST /order", answerOrder(OrderTimeout, func(context.Context, url.Values) (any, error) { carriedOut = true; return "done", nil }))
	l, err := net.Listen("tcp4", "127.0.0.1:0") // nobody is known there
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(t.Context(), routes)
	go server.Serve(listener{l})
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
	if err := s.Order(t.Context(), OrderTimeout, "/order", nil, &said); err != nil || said != "done" || !carriedOut {
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
		"no daemon":        {nil, t.Context(), instance.ErrNoListener},
		"one that ends":    {answerOrder(time.Second, func(ctx context.Context, _ url.Values) (any, error) { return nil, context.Cause(ctx) }), ending, instance.ErrEnding},
		"one that dies":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, t.Context(), instance.ErrEnding},
		"one that hangs":   {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, t.Context(), instance.ErrNoAnswer},
		"one that refuses": {answerOrder(time.Second, func(context.Context, url.Values) (any, error) { return nil, refusal("no") }), t.Context(), &instance.Refusal{Status: http.StatusConflict}},
		"one that is late": {answerOrder(time.Nanosecond, func(ctx context.Context, _ url.Values) (any, error) { <-ctx.Done(); return nil, ctx.Err() }), t.Context(), &instance.Refusal{Status: http.StatusGatewayTimeout}},
	} {
		t.Run(what, func(t *testing.T) {
			s := inFolder(t)
			if c.serve != nil {
				socket, err := listenAt(c.ctx, string(s), http.HandlerFunc(c.serve))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { socket.close() })
			}
			limit := awaitLimit
			if c.want == instance.ErrNoAnswer {
				limit = -time.Second / 2 // a second is added
			}
			err := s.Order(t.Context(), limit, "/order", nil, new(struct{}))
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
	o := &orders{turn: make(chan struct{}, 1)}
	carriedOut := make(chan error, 1)
	routes := http.NewServeMux()
	routes.HandleFunc("POST /order", func(_ http.ResponseWriter, r *http.Request) {
		ctx := context.WithoutCancel(r.Context()) // that he has gone may not be known yet
		_, err := o.inTurn(ctx)
		carriedOut <- cmp.Or(err, isAwaited(ctx))
	})
	s := inFolder(t)
	listening(t, s, routes)
	o.turn <- struct{}{}
	c, err := net.Dial("unix", string(s))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /order HTTP/1.1\r\nHost: x\r\n\r\n")
	c.Close()
	<-o.turn
	if err := <-carriedOut; err == nil {
		t.Error("it was carried out")
	}
}

// A configuration that the director does not take is not taken by what is around it: here it has ended.
func TestAReloadIsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ld.cf")
	write := func(logfile string) {
		if err := os.WriteFile(file, []byte("logfile = \""+filepath.Join(dir, logfile)+"\"\n"+oneServer), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		env := NewEnvironment(icmp.NewPinger())
		defer env.Close()
		source := Source{Path: file, Checks: env}
		write("old")
		old, err := Load(t.Context(), source)
		if err != nil || old.Plan == nil {
			t.Fatal(err, old)
		}
		d := &daemon{Options: Options{Config: source, Loaded: old, Manager: &ServiceManager{}}, tally: newTally(Options{}), director: director.New(director.Deps{})}
		d.claims = &claims{}
		d.log = newLogSink(d.Options, old.Config.Global)
		d.mailer = mail.New(func(notify.Event) {})
		d.webhook = webhook.New(func(notify.Event) {})
		d.journal = notify.NewJournal(d.log.Notify)
		d.metrics = &metricsServer{end: func() {}}
		f := newConfigFile(d, nil)
		write("new")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if why := f.read(ctx, nil, false); why == "" || f.current != old {
			t.Error("it was taken")
		}
		d.journal.Emit(notify.Event{Text: "the last word"})
		closing := context.WithoutCancel(t.Context())
		d.journal.Close(closing)
		d.mailer.Close(closing)
		d.webhook.Close(closing)
		if text, _ := os.ReadFile(filepath.Join(dir, "old")); !strings.Contains(string(text), "the last word") {
			t.Errorf("the old log has %q", text)
		}
	})
}

// An address without its port names no virtual service, and it is not to look as if the server were missing.
func TestWhoIsNotThereToDrain(t *testing.T) {
	for virtual, want := range map[string]string{
		"": "a.cf has no real server 10.0.0.1",
		"10.9.9.1": "a.cf has no virtual service 10.9.9.1 with a real server 10.0.0.1; " +
			"a virtual service is called ADDRESS:PORT, as status has it, by its mark or by its servicename",
	} {
		if _, err := (SetOrder{Virtual: virtual, Real: "10.0.0.1"}).meant(&director.Snapshot{}, nil, "a.cf"); err == nil || err.Error() != want {
			t.Error(err)
		}
	}
}

const oneServer = "virtual = 10.1.0.1:7000\n\treal = 10.2.0.1:7000 gate\n\tchecktype = on\n"
