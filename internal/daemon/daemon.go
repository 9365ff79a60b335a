// Package daemon starts and connects the parts of a running ldirectord: it reads the configuration, hands it to the
// director, and connects the director with signals, files, log, service manager, control socket and metrics.
package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/announce"
	"ldirectord/internal/core"
	"ldirectord/internal/director"
	"ldirectord/internal/fwmark"
	"ldirectord/internal/instance"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/notify"
	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
	"ldirectord/internal/socket"
	"ldirectord/internal/subprocess"
	"ldirectord/ipvsctl"
)

// EndTimeout is how long a command waits for a daemon to exit. A daemon normally exits sooner.
const EndTimeout = 45 * time.Second

const (
	resultsTimeout = 3 * time.Second // how long a start waits for the first results

	// Time limits for the shutdown of a daemon. The first and the third are measured from the signal. EndTimeout is
	// longer than the whole shutdown, even if commands, the log and the mail server all hang.
	directorTimeout = 25 * time.Second // until the director has cleaned up the table
	saveTimeout     = time.Second      // at a handover, to save an unsaved role
	hooksTimeout    = 30 * time.Second // until the last commands have exited
	closeTimeout    = 5 * time.Second  // after that, for the last log lines, and again for the last mails
)

// SignalHandOver makes a daemon exit without changing the table. The Perl daemon does not handle this signal, so it
// exits at once and leaves its table as it is, too.
const SignalHandOver = syscall.SIGUSR1

// ReadyLine is the last line that is written to Options.Ready.
const ReadyLine = "ready"

// Options are the options of a daemon.
type Options struct {
	Instance   instance.Instance
	Table      ipvsctl.Access
	Supervisor instance.Supervisor // who runs it in the foreground; "" in the background
	Config     Source
	Loaded     *Loaded // the first configuration
	Manager    *ServiceManager
	Via        Via            // the files whose daemons have already passed this start on to others
	Hangups    chan os.Signal // may hold a HUP that came before Run; has room for one; nil: Run makes it
	Args       []string       // the options with which it calls this program for other daemons of this machine

	Name    string // the daemon's name in log lines
	Version string // of the program
	Debug   bool   // the log goes to standard error, without a header
	JSONLog bool
	PidFile bool           // the daemon has a pid file, and commands find the daemon by it
	Ready   io.WriteCloser // gets a line for each problem of the start, and finally ReadyLine; may be nil
	Stderr  io.Writer
}

// Again returns the beginning of a command line for the same file and machine: the program, the options and the file.
func Again(options []string, path string) string {
	return printable.ShellLine(slices.Concat([]string{"ldirectord"}, options, []string{path})...)
}

// daemon is the running director with its files, sockets and channels.
type daemon struct {
	Options
	channels
	lock     *instance.Lock
	log      *logSink
	director *director.Director
	tally    *tally
	siblings *siblings
	orders   *standingOrders
	claims   *claims
	config   *configFile
	socket   *socket.Server
	metrics  *metricsServer
	end      context.CancelCauseFunc // stops the director
	ended    chan error              // gets the director's last error
	ending   time.Time               // when it got the order to stop; zero before
	signals  chan os.Signal          // those that stop it, and those that it ignores
}

// Run runs the daemon in this process, until a signal or an order stops it. If another one is running, the error wraps
// instance.ErrRunning.
func Run(ctx context.Context, o Options) error {
	os.Unsetenv(viaEnv) // these variables are only for this start
	os.Unsetenv(givenEnv)
	subprocess.ReapOrphans()
	o.Hangups = cmp.Or(o.Hangups, make(chan os.Signal, 1))
	signal.Notify(o.Hangups, unix.SIGHUP)
	d := &daemon{Options: o}
	// first: if this fails, nothing is left in the run folder
	if err := o.Table.Connect(ctx); err != nil {
		return err
	}
	show, err := showTable(o.Table, o.Instance.Table)
	if err != nil {
		return err
	}
	acquiring, cancel := context.WithTimeout(ctx, EndTimeout)
	defer cancel()
	if d.lock, err = o.Instance.Acquire(acquiring, o.Supervisor); err != nil {
		return err
	}
	show() // the file that --ipvs names may contain the table of a previous daemon
	// This comes before the pid file names this process. PIPE is caught rather than ignored, because children would
	// inherit an ignored signal.
	d.signals = make(chan os.Signal, 8)
	signal.Notify(d.signals, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGPIPE, SignalHandOver)
	// These signals, too, end a daemon properly, except with --foreground. There they are a failure, so that the
	// supervisor starts the daemon again. With a watchdog, systemd sends ABRT to get the state of each goroutine.
	if foreground := o.PidFile && o.Supervisor != ""; !foreground && o.Manager.every == 0 {
		// such a signal from a fault of this process is a crash anyway
		signal.Notify(d.signals, unix.SIGABRT, unix.SIGILL, unix.SIGFPE, unix.SIGSEGV, unix.SIGBUS, unix.SIGSYS,
			unix.SIGXCPU)
	}
	if o.PidFile {
		_ = d.lock.WritePid() // commands also find the daemon by its state and socket
		defer d.lock.RemovePid()
		if err := os.Chdir("/"); err != nil {
			return err
		}
	}
	d.assemble()
	return d.finish(d.live(ctx))
}

// assemble creates the parts of the daemon. When it returns, only the channels are running.
func (d *daemon) assemble() {
	cfg, plan := d.Loaded.Config, d.Loaded.Plan
	d.tally = newTally(d.Options)
	d.log = newLogSink(d.Options, cfg.Global)
	receivers := d.openChannels()
	d.orders, d.claims = newOrders(d), newClaims(d)
	d.siblings = &siblings{d: d, names: cfg.Global.Execute, role: d.orders.role}
	deps := director.Deps{
		World: core.World{
			Orders: d.orders.given().InForce(), Standby: d.orders.role.Role == instance.Standby,
			Announced: d.lock.Before.Announced, Tell: receivers,
			Former: d.lock.Before.Virtuals, Through: d.Config.Checks.through.Leave,
			Departing: d.lock.Before.Departing, Leave: recording(d, (*instance.State).SetDeparting),
			Moving: d.lock.Before.Moving, Move: recording(d, (*instance.State).SetMoving),
		},
		Table: d.Table, Maintenance: maintenance.New(watch).Watch, Claims: d.claims,
		Alive: d.Manager.beats.Up, Pulse: d.Manager.every,
	}
	if d.Table.Machine { // a table in memory has no mark rules and no addresses
		deps.Marks = fwmark.Open(d.Instance.Chains())
		save := func(all announce.Record) error {
			return d.lock.Update(func(s *instance.State) { s.Announced = all })
		}
		deps.Announcer = announce.New(d.lock.Before.Announced, d.claims.addresses, save)
	}
	d.director = director.New(deps)
	d.Config.Checks.SetVirtuals(plan)
	d.config = newConfigFile(d)
}

// live runs the director until a signal or an order stops it, and returns the cause.
func (d *daemon) live(ctx context.Context) error {
	d.announce()
	d.record(func(s *instance.State) { s.Execute = d.Loaded.Config.Global.Execute })
	ctx, d.end = context.WithCancelCause(ctx)
	defer d.end(nil)
	d.metrics = d.openMetrics(ctx)
	d.openSocket(ctx)
	d.ended = make(chan error, 1)
	plan := d.Loaded.Plan
	d.startThrough(ctx)
	go func() {
		d.ended <- d.director.Run(ctx, plan)
		d.end(nil) // so that no request waits for the director any more
	}()
	go d.settle(ctx, d.Loaded.Summary())
	go d.orders.follow(ctx)
	go d.claims.follow(ctx)
	go d.keepFiles(ctx)
	go d.config.run(ctx)
	d.Loaded = nil // d.config has the configuration in force
	cause := d.attend()
	d.Config.Checks.through.Close(context.Background()) // even if the table could not be cleaned up
	d.failed(notify.ListenFailed, notListening, d.socket.Close())
	return cause
}

// attend handles signals until the director has stopped, and returns the cause.
func (d *daemon) attend() error {
	for {
		select {
		case <-d.Manager.beats:
			d.Manager.feed()
		case err := <-d.ended:
			return err
		case via := <-d.orders.leave: // an order, because its command may be killed before it can send a signal
			return d.leave("TERM", via)
		case s := <-d.signals:
			switch s {
			case unix.SIGPIPE:
			case SignalHandOver:
				saving, cancel := context.WithTimeout(context.Background(), saveTimeout)
				d.orders.keep(saving)
				cancel()
				d.record(func(s *instance.State) {
					s.Phase, s.Kept = instance.HandedOver, runfile.SinceBoot()+instance.Handover
				})
				d.end(director.ErrHandover)
				return d.awaitEnd(handedOver)
			default:
				name := unix.SignalName(s.(syscall.Signal))
				return d.leave(endedBy(strings.TrimPrefix(name, "SIG")), nil)
			}
		}
	}
}

// leave stops the director, and the daemons that execute= lines name, except those that passed the stop on.
func (d *daemon) leave(by endedBy, via Via) error {
	d.record(func(s *instance.State) { s.Phase = instance.Ending })
	d.siblings.stop(via)
	d.end(by)
	err := d.awaitEnd(by)
	if errors.Is(err, by) { // its virtual services are free for others
		d.record(func(s *instance.State) {
			if s.Virtuals, s.Waits = d.director.Left(), nil; len(s.Virtuals) > 0 {
				s.Phase = instance.HandedOver // the next daemon removes them
			}
		})
	}
	return err
}

// awaitEnd waits until the director has stopped. If the director hangs, its virtual services stay recorded, as after a
// crash, and the next daemon cleans up the table.
func (d *daemon) awaitEnd(by endedBy) error {
	d.ending = time.Now()
	late := time.After(directorTimeout)
	d.Manager.stopping() // only now: a service manager that reads late delays neither the record nor the director
	for {
		select {
		case <-d.Manager.beats:
			d.Manager.feed()
		case err := <-d.ended:
			return cmp.Or(err, error(by))
		case <-late:
			d.record(func(s *instance.State) { s.Phase = instance.Running })
			return fmt.Errorf("signal %s, but work on the table did not end within %v", string(by),
				directorTimeout)
		}
	}
}

// endedBy is the name of the signal that stopped the daemon.
type endedBy string

const handedOver endedBy = "USR1"

func (e endedBy) Error() string { return "signal " + string(e) }

// finish reports that the daemon stops, closes the channels, and returns the final error.
func (d *daemon) finish(cause error) error {
	by, asked := cause.(endedBy)
	switch {
	case asked:
		cause = nil
		d.say(notify.Terminated, "Linux Director Daemon terminated on signal: %s", string(by))
	case cause != nil:
		d.say(notify.Terminated, "Linux Director Daemon ended: %v", cause)
	}
	d.closeChannels(by, cause)
	return cause
}

// record updates the state file.
func (d *daemon) record(change func(*instance.State)) {
	d.failed(notify.StateFailed, "State file", d.lock.Update(change))
}

// recording returns a function that calls set to record a value in the state file.
func recording[T any](d *daemon, set func(*instance.State, T)) func(T) {
	return func(now T) { d.record(func(s *instance.State) { set(s, now) }) }
}

// tellStarter shows failed changes of the table to the command that waits for the start. The daemon retries them.
func (o *Options) tellStarter(e notify.Event) {
	if o.Ready != nil && e.Kind == notify.TableError {
		fmt.Fprintln(o.Ready, e.Text) // an error means that the start is over
	}
}

func (d *daemon) announce() {
	how := "as daemon"
	if !d.PidFile {
		how = fmt.Sprintf("with pid: %d", os.Getpid())
	}
	d.say(notify.Starting, "Starting Linux Director %s %s", d.Version, how)
	if good := d.Loaded.GoodSince; !good.IsZero() {
		d.say(notify.ConfigIgnored, "The last good configuration, of %s, is in force, not the file",
			good.Local().Format(time.DateTime))
	}
	if why := d.Loaded.Anyway; why != "" {
		d.say(notify.ConfigWarning, "The daemon starts with the file, although it was taken back: %s", why)
	}
	for _, f := range d.Loaded.Found.ForLog() {
		if d.PidFile || !f.IsPerls() { // otherwise the command has printed it already
			d.say(notify.ConfigWarning, "%s", Message(f))
		}
	}
}

// settle waits until the virtual services are in the table. It then waits for the first results, for at most
// resultsTimeout. Finally it starts the siblings, and tells the starter and the service manager that the daemon is
// ready.
func (d *daemon) settle(ctx context.Context, summary string) {
	select {
	case <-d.director.Started():
	case <-ctx.Done():
		return
	}
	select {
	case <-d.director.Settled():
	case <-time.After(resultsTimeout):
	case <-ctx.Done():
		return
	}
	d.siblings.start(d.Via)
	if d.Ready != nil {
		fmt.Fprintln(d.Ready, ReadyLine)
		d.Ready.Close()
	}
	d.Manager.ready(summary)
	settleMemory()
}

// keepFiles restores lost files of the run folder, saves an unsaved role, begins orders whose time has come, and
// reports when the clock is set, until ctx is done. After a failure it tries again. If a file is missing, the commands
// that need it report that.
func (d *daemon) keepFiles(ctx context.Context) {
	ahead := wallClock() - runfile.SinceBoot()
	for runfile.Pause(ctx, pollInterval) && ctx.Err() == nil { // a daemon that is ending restores nothing
		ahead = d.followClock(ahead, runfile.SinceBoot)
		switch err := d.lock.Restore(); err {
		case nil:
			d.tally.forget(notify.StateFailed)
		case instance.ErrRunning: // commands find only the other one
			d.say(notify.Terminated, "Another daemon was started for this file after files in the run "+
				"folder had been removed; this one ends and leaves the table to it")
			d.end(director.ErrHandover)
			return
		}
		if isNew, err := d.socket.Restore(ctx); isNew {
			d.listens(err)
		}
		d.orders.keep(ctx)
	}
}
