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

	topic  string // of --help; "" without one
	config string // as given; "" without one
	path   string // where it was found
	verb   string
}

const (
	defaultIPVS      = "kernel"
	defaultLogFormat = "text"
	defaultRunDir    = "/run"
)

// parse reads the command line: options, the file, the command.
func (o *options) parse(args []string) error {
	f := o.flags()
	if err := f.Parse(args); err != nil {
		return err
	}
	rest := f.Args()
	if o.help && len(rest) > 0 {
		o.topic = rest[0]
	}
	if o.help || o.version {
		return nil
	}
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
