package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/ipvsctl"
	"ldirectord/maintenance"
	"ldirectord/notify"
	"ldirectord/notify/mail"
	"ldirectord/parser"
)

const (
	resultsWait = 3 * time.Second // how long a start waits for the first results

	// The end of a daemon, from the signal on: stop waits longer than all of it.
	directorWait = 25 * time.Second // until the table is clean
	hooksWait    = 30 * time.Second // until the commands that run at the end have ended
	closeWait    = 5 * time.Second  // after that, for the last log lines and mails
)

// daemon is the running director and what surrounds it.
type daemon struct {
	*app
	hold     *instance.Lock
	log      *logSink
	journal  *notify.Journal
	mailer   *mail.Mailer
	monitor  *notify.Monitor
	hooks    *notify.Hooks
	director *director.Director
	turn     chan struct{} // whoever puts something in carries out an order; see inTurn
	now      roleNow
	drains   drainsNow
	roles    chan changedRole // those carried out
	rereads  chan rereading   // orders to read the file again
	control  *control         // nil when it could not be made
	metrics  *metricsServer
	events   *eventCounts
	reloads  *reloadCounts
	ending   time.Time                     // it was told to end; zero before
	names    atomic.Pointer[[]parser.Name] // of the current configuration
	ready    io.WriteCloser                // nil in the foreground
}

// serve is the daemon in this process. Ready hears how the start goes; it is nil in the foreground.
func (a *app) serve(ctx context.Context, ready io.WriteCloser) int {
	os.Unsetenv(viaEnv) // it is of this start, not of what comes later
	d := &daemon{app: a, ready: ready, turn: make(chan struct{}, 1), roles: make(chan changedRole), rereads: make(chan rereading)}
	var err error
	acquireCtx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	d.hold, err = a.instance().Acquire(acquireCtx, a.keeper())
	if errors.Is(err, instance.ErrRunning) && ready != nil {
		return exitOK // another start was quicker
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	table, err := a.openTable(ctx)
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	defer table.Close()
	signals := make(chan os.Signal, 8) // before anybody can know our pid
	// PIPE is taken and not ignored: children would inherit that.
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGPIPE, signalHandOver)
	if d.known() {
		if err := d.hold.WritePid(); err != nil {
			fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
			return exitFailure
		}
		defer d.hold.RemovePid()
		if err := os.Chdir("/"); err != nil {
			fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
			return exitFailure
		}
	}
	return d.live(ctx, table, signals)
}

// known tells whether there is a pid file, by which the commands find this daemon.
func (d *daemon) known() bool { return d.ready != nil || d.stay }

// live runs the director until a signal ends it.
func (d *daemon) live(ctx context.Context, table ipvsctl.Client, signals <-chan os.Signal) int {
	d.events, d.reloads = newEventCounts(), newReloadCounts()
	d.log = newLogSink(d.app, d.loaded.config.Global.LogFile)
	d.mailer = mail.New(func(e notify.Event) { d.journal.Emit(e) })
	d.journal = notify.NewJournal(d.log, d.mailer, d.events, notify.NotifyFunc(d.tellStarter))
	d.monitor = notify.NewMonitor(d.journal.Emit)
	d.mailer.Set(mailRules(d.loaded.config, d.loaded.plan))
	d.hooks = notify.NewHooks(d.journal)
	if err := d.readDrains(); err != nil {
		d.journal.Emit(notify.Event{Kind: notify.HookFailed, Text: fmt.Sprintf("Orders to drain can't be read: %v", err), Reason: err.Error()})
	}
	d.now.RoleOrder = d.role()
	d.director = director.New(director.Deps{
		Drained: d.drains.backends, Standby: d.now.Role == instance.Standby, Marks: d.marks(),
		Monitor: d.monitor, Table: table, Journal: d.journal, Hooks: d.hooks, Maintenance: maintenance.New(watch).Watch,
		Former: d.instance().NotOthers(d.hold.Former), Owned: func(keys []ipvsctl.Key) { d.recorded(d.hold.SetVirtuals(keys)) },
		Alive: d.manager.alive, Pulse: d.manager.every,
	})
	d.env.setOurs(d.loaded.plan)
	d.announce()
	d.recorded(d.hold.SetSiblings(d.loaded.config.Global.Execute))
	runCtx, end := context.WithCancelCause(ctx)
	defer end(nil)
	role := d.now.Role // orders may change it from here on
	d.openControl(runCtx)
	d.metrics = d.openMetrics(runCtx)
	ended := make(chan error, 1)
	go func() {
		ended <- d.director.Run(runCtx, d.loaded.plan)
		end(nil) // a reload that waits for it is in vain
	}()
	go d.settle(runCtx, role, d.loaded.config.Global.Execute, d.loaded.summary())
	go d.followDrains(runCtx)
	go d.followRole(runCtx)
	go d.keepSaving(runCtx)
	cause := d.attend(runCtx, role, signals, ended, end)
	d.closeControl()
	return d.finish(cause)
}

// attend carries out signals and changes of the file until the director has ended. It returns the
// signal that ended it.
func (d *daemon) attend(ctx context.Context, role instance.Role, signals <-chan os.Signal, ended <-chan error, end context.CancelCauseFunc) error {
	file := newConfigFile(ctx, d, role)
	file.foreign.follow(ctx, d.loaded.config)
	d.loaded.forget()
	for {
		select {
		case <-d.manager.beats:
			d.manager.feed()
		case err := <-ended:
			return err
		case s := <-signals:
			switch s {
			case unix.SIGPIPE:
			case unix.SIGHUP:
				file.readAgain(ctx, rereading{})
			case signalHandOver:
				d.manager.stopping()
				d.recorded(d.hold.SetPhase(instance.HandedOver))
				end(director.ErrHandover)
				return d.awaitEnd(ended, endedBy("USR1"))
			default:
				return d.leave(endedBy(strings.TrimPrefix(unix.SignalName(s.(syscall.Signal)), "SIG")), ended, end)
			}
		case o := <-d.rereads:
			file.readAgain(ctx, o)
		case r := <-d.roles:
			if r.role == instance.Stopped { // who gave the order may be killed before it sends a signal
				return d.leave(endedBy("TERM"), ended, end)
			}
			file.role = r.role
			d.siblings(d.loaded.config.Global.Execute, startSibling(r.role), r.via)
		case <-file.changed:
			file.look(ctx)
		case changed := <-file.renewed:
			file.renew(ctx, changed)
		case found := <-file.found:
			file.learn(ctx, found)
		case t := <-file.taken:
			file.end(ctx, t)
		}
	}
}

// leave ends the director and the daemons that execute= names.
func (d *daemon) leave(by endedBy, ended <-chan error, end context.CancelCauseFunc) error {
	d.manager.stopping()
	d.recorded(d.hold.SetPhase(instance.Ending))
	d.siblings(d.loaded.config.Global.Execute, sibling+"stop", nil)
	end(by)
	return d.awaitEnd(ended, by)
}

// awaitEnd waits until the director has ended, which was told to. One that hangs is left: what it may have in the
// table stays recorded as after a crash, for the next daemon to clean up.
func (d *daemon) awaitEnd(ended <-chan error, by endedBy) error {
	d.ending = time.Now()
	late := time.NewTimer(directorWait)
	defer late.Stop()
	for {
		select {
		case <-d.manager.beats:
			d.manager.feed()
		case err := <-ended:
			return cmp.Or(err, error(by))
		case <-late.C:
			d.recorded(d.hold.SetPhase(instance.Running))
			return fmt.Errorf("signal %s, but the table was not left within %v", string(by), directorWait)
		}
	}
}

// endedBy is the name of the signal that ended the daemon.
type endedBy string

func (e endedBy) Error() string { return "signal " + string(e) }

// recorded tells if the state file could not be written.
func (d *daemon) recorded(err error) {
	if err != nil {
		d.journal.Emit(notify.Event{Kind: notify.HookFailed, Text: fmt.Sprintf("State file: %v", err), Reason: err.Error()})
	}
}

// remember keeps what the names of the current configuration are, for the next time that they can't be looked up.
func (d *daemon) remember(names []parser.Name) {
	d.names.Store(&names)
	if err := nameFile(d.hold.Names).write(names); err != nil {
		d.journal.Emit(notify.Event{Kind: notify.HookFailed, Text: fmt.Sprintf("Addresses of names can't be kept: %v", err), Reason: err.Error()})
	}
}

// finish tells the last words and returns the exit status.
func (d *daemon) finish(cause error) int {
	code := exitOK
	if by, ok := cause.(endedBy); ok {
		d.journal.Emit(notify.Event{Kind: notify.Terminated, Text: fmt.Sprintf("Linux Director Daemon terminated on signal: %s", string(by))})
	} else if cause != nil {
		fmt.Fprintf(d.stderr, "ldirectord: %v\n", cause)
		d.journal.Emit(notify.Event{Kind: notify.Terminated, Text: fmt.Sprintf("Linux Director Daemon ended: %v", cause)})
		code = exitFailure
	}
	begun := d.ending
	if begun.IsZero() {
		begun = time.Now()
	}
	hooksCtx, cancel := context.WithDeadline(context.Background(), begun.Add(hooksWait))
	defer cancel()
	d.hooks.Close(hooksCtx)
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	if err := d.monitor.Close(ctx); err != nil {
		d.journal.Emit(notify.Event{Kind: notify.MonitorFailed, Text: fmt.Sprintf("Monitorfile: %v", err), Reason: err.Error()})
	}
	if err := d.journal.Close(ctx); err != nil && code == exitOK {
		fmt.Fprintf(d.stderr, "ldirectord: %v\n", err)
	}
	if err := d.mailer.Close(ctx); err != nil { // the journal is closed: straight to the log
		d.log.Notify(ctx, notify.Event{Time: time.Now(), Kind: notify.MailFailed, Text: fmt.Sprintf("Mail was not sent: %v", err)})
	}
	return code
}

// tellStarter shows the one who waits for a start what can't be done of it. The daemon goes on trying.
func (d *daemon) tellStarter(_ context.Context, e notify.Event) {
	if d.ready != nil && e.Kind == notify.TableError {
		fmt.Fprintln(d.ready, e.Text) // in vain once the start is over
	}
}

func (d *daemon) announce() {
	how := "as daemon"
	if !d.known() {
		how = fmt.Sprintf("with pid: %d", os.Getpid())
	}
	d.journal.Emit(notify.Event{Kind: notify.Starting, Text: fmt.Sprintf("Starting Linux Director %s %s", version, how)})
	if !d.known() {
		return
	}
	for _, f := range d.loaded.found {
		d.journal.Emit(notify.Event{Kind: notify.ConfigWarning, Text: message(f)})
	}
}

// settle waits for the virtual services and, if that does not take long, for the first results, and
// tells the starter.
func (d *daemon) settle(ctx context.Context, role instance.Role, execute []string, summary string) {
	select {
	case <-d.director.Started():
	case <-ctx.Done():
		return
	}
	select {
	case <-d.director.Settled():
	case <-time.After(resultsWait):
	case <-ctx.Done():
		return
	}
	d.siblings(execute, startSibling(role), d.via)
	if d.ready != nil {
		fmt.Fprintln(d.ready, readyLine)
		d.ready.Close()
	}
	d.manager.ready(summary)
	settleMemory()
}

// openTable opens the table that --ipvs names.
func (a *app) openTable(ctx context.Context) (ipvsctl.Client, error) {
	kind, file, _ := strings.Cut(a.ipvs, ":")
	if kind == "kernel" {
		return ipvsctl.Open(ctx)
	}
	m := ipvsctl.NewMemory(nil)
	if file == "" {
		return m, nil
	}
	copyTable := func() error {
		t, err := m.Read(context.Background())
		if err != nil {
			return err
		}
		return writeCopy(file, []byte(ipvsctl.Format(t)))
	}
	m.OnChange = func() { _ = copyTable() } // the first one showed that it can be written
	return m, copyTable()
}

// writeCopy writes the copy of a table in memory. A pipe or a device is written to, and never replaced.
func writeCopy(file string, text []byte) error {
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(file, text, 0)
	}
	return instance.Replace(file, text, 0o644)
}
