package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/director"
	"ldirectord/ipvsctl"
	"ldirectord/notify"
)

const (
	resultsWait = 3 * time.Second  // how long a start waits for the first results
	hooksWait   = 20 * time.Second // for the commands that run at the end
	closeWait   = 5 * time.Second  // for the last log lines and mails
)

// daemon is the running director and what surrounds it.
type daemon struct {
	*app
	hold     *hold
	log      *logSink
	journal  *notify.Journal
	mailer   *notify.Mailer
	monitor  *notify.Monitor
	hooks    *notify.Hooks
	director *director.Director
	roles    chan order // those carried out
	control  *control   // nil when it could not be made
	metrics  *metricsServer
	events   *eventCounts
	reloads  *reloadCounts
	ready    io.WriteCloser // nil in the foreground
}

// serve is the daemon in this process. Ready hears how the start goes; it is nil in the foreground.
func (a *app) serve(ctx context.Context, ready io.WriteCloser) int {
	d := &daemon{app: a, ready: ready, roles: make(chan order)}
	var err error
	acquireCtx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	d.hold, err = a.instance().acquire(acquireCtx, a.keeper())
	if errors.Is(err, errRunning) && ready != nil {
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
		if err := d.hold.writePid(); err != nil {
			fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
			return exitFailure
		}
		defer d.hold.removePid()
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
	d.mailer = notify.NewMailer(func(e notify.Event) { d.journal.Emit(e) })
	d.journal = notify.NewJournal(d.log, d.mailer, d.events, notify.NotifyFunc(d.tellStarter))
	d.monitor = notify.NewMonitor(d.journal.Emit)
	d.mailer.Set(mailRules(d.loaded.config, d.loaded.plan))
	d.hooks = notify.NewHooks(d.journal)
	drained, err := d.drainFile().read(ctx)
	if err != nil {
		d.journal.Emit(notify.Event{Kind: notify.HookFailed, Text: fmt.Sprintf("Orders to drain can't be read: %v", err), Reason: err.Error()})
	}
	role := d.role()
	d.director = director.New(director.Deps{
		Drained: drained, Standby: role == standby, Marks: d.marks(),
		Monitor: d.monitor, Table: table, Journal: d.journal, Hooks: d.hooks, Watch: watch,
		Former: d.hold.notOthers(d.hold.former), Ours: func(keys []ipvsctl.Key) { d.recorded(d.hold.own(keys)) },
		Alive: d.manager.alive, Pulse: d.manager.every,
	})
	d.env.setOurs(d.loaded.plan)
	d.announce()
	runCtx, end := context.WithCancelCause(ctx)
	defer end(nil)
	d.openControl()
	d.metrics = d.openMetrics(runCtx)
	ended := make(chan error, 1)
	go func() {
		ended <- d.director.Run(runCtx, d.loaded.plan)
		end(nil) // a reload that waits for it is in vain
	}()
	go d.settle(runCtx, d.loaded.config.Global.Execute, d.loaded.summary())
	go d.drainFile().follow(runCtx, d.director.Drain)
	go d.followRole(runCtx, role, d.roles)
	cause := d.attend(runCtx, signals, ended, end)
	d.closeControl()
	return d.finish(cause)
}

// attend carries out signals and changes of the file until the director has ended. It returns the
// signal that ended it.
func (d *daemon) attend(ctx context.Context, signals <-chan os.Signal, ended <-chan error, end context.CancelCauseFunc) error {
	file := newConfigFile(ctx, d)
	file.foreign.follow(ctx, d.loaded.config)
	d.loaded.forget()
	var by error
	for {
		select {
		case <-d.manager.beats:
			d.manager.feed()
		case err := <-ended:
			if err != nil {
				return err
			}
			return by
		case s := <-signals:
			switch {
			case by != nil || s == unix.SIGPIPE: // it is ending already, or nothing
			case s == unix.SIGHUP:
				file.hup(ctx)
			case s == signalHandOver:
				d.manager.stopping()
				by = endedBy("USR1")
				d.recorded(d.hold.enter(handedOver))
				end(director.ErrHandover)
			default:
				d.manager.stopping()
				by = endedBy(strings.TrimPrefix(unix.SignalName(s.(syscall.Signal)), "SIG"))
				d.recorded(d.hold.enter(ending))
				d.siblings(d.loaded.config.Global.Execute, sibling+"stop")
				end(by)
			}
		case <-d.roles:
			if by == nil {
				d.siblings(d.loaded.config.Global.Execute, d.startSibling())
			}
		case <-file.changed:
			if by == nil {
				file.look(ctx)
			}
		case t := <-file.taken:
			if by == nil {
				file.end(ctx, t)
			}
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
	hooksCtx, cancel := context.WithTimeout(context.Background(), hooksWait)
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
func (d *daemon) settle(ctx context.Context, execute []string, summary string) {
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
	d.siblings(execute, d.startSibling())
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
		return writeWhole(file, ipvsctl.Format(t))
	}
	m.OnChange = func() { _ = copyTable() } // the first one showed that it can be written
	return m, copyTable()
}

// writeWhole replaces a file so that a reader sees the old or the new one.
func writeWhole(path, text string) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		return fmt.Errorf("writing the copy of the table: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("writing the copy of the table: %w", err)
	}
	return nil
}
