package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// options are the command line.
type options struct {
	debug     bool
	help      bool
	version   bool
	ipvs      string // kernel, memory or memory:FILE
	logFormat string // text or json
	runDir    string
	jsonOut   bool
	verbose   bool
	strict    bool
	wait      bool
	force     bool
	keep      bool
	stay      bool // --foreground
	timeout   time.Duration
	args      []string // behind the command

	config string // as given; "" without one
	path   string // where it was found
	verb   string
}

const (
	defaultIPVS      = "kernel"
	defaultLogFormat = "text"
	defaultRunDir    = "/run"
)

const usage = `Usage: ldirectord [-d] [CONFIG] start|stop|restart|try-restart|reload|force-reload|status
       ldirectord [CONFIG] status -v|--json
       ldirectord [CONFIG] check [--strict] [--json] | plan | probe
       ldirectord CONFIG standby | notify STATE
       ldirectord CONFIG drain|undrain [VIRTUAL] REAL [--wait] [--timeout T] [--force]
       ldirectord CONFIG realserver-script [SERVER]
       ldirectord CONFIG connections [VIRTUAL] [--json] | doctor [--json]
       ldirectord --help | --version
`

const help = usage + `
ldirectord checks the real servers of Linux Virtual Server and keeps the kernel's
table as CONFIG says. CONFIG is looked for in /etc/ha.d and /etc/ha.d/conf, then
as it stands; without it, it is ldirectord.cf.

  start         start the daemon; returns when its virtual services exist and the
                first results are in (after 3 s without waiting for results)
  stop          stop the daemon; returns when it has ended; --keep leaves the table as it is
  restart       let a new daemon take over without emptying the table
  try-restart   the same, only if one runs
  reload        read the file again; returns when the table follows it; force-reload is the same
  status        0: running, 1: stale pid file, 3: stopped; -v or --verbose shows every
                server with its state, last check and connections, --json all of it
  check         read the file, tell all that is wrong with it; 0 or 2
  plan          show what the file would change in the table; change nothing
  probe         make each check once and show the results; 0 when all passed
  standby       start a daemon that checks and leaves the table alone until notify
                promotes it; started again it has the role that it had
  notify        for keepalived: with STATE master the director serves, with backup,
                fault or stop it does not: one started by standby is promoted or
                demoted, any other one started or stopped; also takes the words
                INSTANCE|GROUP NAME STATE PRIORITY
  drain         give REAL no new connections (weight 0) until undrain, in VIRTUAL or
                wherever it is; --wait until its connections are gone, 10m or --timeout;
                --force even if it is the last server of a virtual service
  realserver-script
                print a shell script that sets up SERVER, or whichever real server it
                runs on, for gate or ipip: virtual addresses, ARP, tunnel
  connections   show the connections and persistence templates of VIRTUAL or of all, with
                their servers
  doctor        look at what CONFIG needs of this machine and its neighbours, each finding
                with the command that mends it; 1 when one keeps traffic from flowing

  -d, --debug           stay in the foreground, log on standard error
      --foreground      with start or standby: become the daemon, as a service
                        manager wants it
  -h, --help            this text
  -v, --version         the version
      --ipvs TABLE      kernel (default), memory, or memory:FILE, which keeps a
                        copy of the table in FILE in the form of ipvsadm -Sn
      --log-format F    text (default) or json
      --rundir DIR      where the pid file is kept (default /run)
      --strict          with check: refuse the layouts that the Perl daemon refuses
      --json            with check: the result and the whole configuration as JSON; also
                        with status, connections and doctor

Exit status: 0 done, 1 failed, 2 the configuration is refused, 3 not running,
255 not a command line.
`

// parse reads the command line: options, the file, the command.
func (o *options) parse(args []string) error {
	f := o.flags()
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.help || o.version {
		return nil
	}
	rest := f.Args()
	switch {
	case len(rest) == 0:
		return errors.New("no command")
	case len(rest) == 1 || isVerb(rest[0]) && (strings.HasPrefix(rest[1], "--") || isVerbose(rest[0], rest[1])):
		o.verb, rest = rest[0], rest[1:]
	default:
		o.config, o.verb, rest = rest[0], rest[1], rest[2:]
	}
	if !isVerb(o.verb) {
		return fmt.Errorf("unknown command %q", o.verb)
	}
	if err := o.parseBehind(f, rest); err != nil {
		return err
	}
	return o.validate()
}

// parseBehind reads what stands behind the command. The reference ignores whatever that is, and so do
// its commands here; only our own options, which are long, count there too.
func (o *options) parseBehind(f *pflag.FlagSet, rest []string) error {
	for i, word := range rest {
		if isVerbose(o.verb, word) {
			rest[i] = "--verbose"
		}
	}
	if !o.isOwnVerb() && (len(rest) == 0 || !strings.HasPrefix(rest[0], "--")) {
		return nil
	}
	f.SetInterspersed(true)
	if err := f.Parse(rest); err != nil {
		return err
	}
	o.args = f.Args()
	if takes := ownVerbs[o.verb]; len(o.args) < takes.least || len(o.args) > takes.most {
		return fmt.Errorf("%s %s: %s", o.verb, strings.Join(o.args, " "), takes.what)
	}
	return nil
}

func (o *options) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("ldirectord", pflag.ContinueOnError)
	f.SetInterspersed(false)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	f.BoolVarP(&o.debug, "debug", "d", false, "")
	f.BoolVarP(&o.help, "help", "h", false, "")
	f.BoolVarP(&o.version, "version", "v", false, "")
	f.StringVar(&o.ipvs, "ipvs", defaultIPVS, "")
	f.StringVar(&o.logFormat, "log-format", defaultLogFormat, "")
	f.StringVar(&o.runDir, "rundir", defaultRunDir, "")
	f.BoolVar(&o.strict, "strict", false, "")
	f.BoolVar(&o.jsonOut, "json", false, "")
	f.BoolVar(&o.verbose, "verbose", false, "")
	f.BoolVar(&o.wait, "wait", false, "")
	f.BoolVar(&o.force, "force", false, "")
	f.BoolVar(&o.keep, "keep", false, "")
	f.BoolVar(&o.stay, "foreground", false, "")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "")
	return f
}

func (o *options) validate() error {
	if o.ipvs != "kernel" && o.ipvs != "memory" && !strings.HasPrefix(o.ipvs, "memory:") {
		return fmt.Errorf("--ipvs %s: kernel, memory and memory:FILE are allowed", o.ipvs)
	}
	if file, ok := strings.CutPrefix(o.ipvs, "memory:"); ok {
		path, err := filepath.Abs(file)
		if err != nil {
			return fmt.Errorf("--ipvs %s: %w", o.ipvs, err)
		}
		o.ipvs = "memory:" + path
	}
	dir, err := filepath.Abs(o.runDir)
	if err != nil {
		return fmt.Errorf("--rundir %s: %w", o.runDir, err)
	}
	o.runDir = dir
	if o.logFormat != "text" && o.logFormat != "json" {
		return fmt.Errorf("--log-format %s: text and json are allowed", o.logFormat)
	}
	return nil
}

// isVerbose tells whether a word behind a command is -v as status has it; before one it asks for the version.
func isVerbose(verb, word string) bool { return verb == "status" && word == "-v" }

func isVerb(s string) bool { _, ok := verbs[s]; return ok }

// instanceName is what the pid file is called after: the file's name, or the program's without one.
func (o *options) instanceName() string {
	if o.config == "" {
		return "ldirectord"
	}
	return filepath.Base(o.config)
}
