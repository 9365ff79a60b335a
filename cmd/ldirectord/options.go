package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"ldirectord/internal/daemon"
	"ldirectord/internal/instance"
	"ldirectord/internal/orders"
	"ldirectord/internal/socket"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// options are the values of the command line. Each exported field holds the option of the same name, see flags.
type options struct {
	Debug        bool
	Help         bool
	Version      bool
	IPVS         string // kernel, memory or memory:FILE
	table        ipvsctl.Access
	LogFormat    string // text or json
	RunDir       string // without --rundir: what chooseRunDir finds
	JSON         bool
	Empty        bool
	Confirm      time.Duration // 0: the configuration need not be confirmed
	Verbose      bool
	Watch        time.Duration // 0: once
	Lines        int
	Client       string         // an address, or ADDRESS:PORT
	about        netip.AddrPort // Client, parsed; port 0 means every port
	Top          bool
	Of           []string // directors, HOST:PORT
	Keep         bool
	Foreground   bool
	LastGood     bool
	WithPrograms bool
	Report       string
	State        string // of roll: a file; "" for none
	reading
	ordering
	supposing
	args []string // after the command
	dash int      // how many of them come before --; negative without --

	topic  string // the topic of --help; "" without one
	config string // as given; "" without one
	path   string // where it was found
	verb   string

	command command // the command that verb names
	dirs    instance.ConfigDirs
}

// reading contains the options for reading and showing the file.
type reading struct {
	Strict            bool
	WithSecrets       bool
	NoLookup          bool
	All               bool
	ExitCode          bool
	WarningsAreErrors bool
}

// ordering contains the options for giving orders.
type ordering struct {
	Wait       bool
	WaitBudget time.Duration
	Timeout    time.Duration
	Force      bool
	Off        bool
	Why        string
	From       string
	Until      string
	For        string
}

const (
	defaultIPVS      = ipvsctl.Kernel
	defaultLogFormat = "text"
	defaultRunDir    = instance.Folder
)

// bareWatch matches --watch with a bare number of seconds, such as --watch=5. parse also accepts --watch 5.
var bareWatch = regexp.MustCompile(`--watch=\d+$`)

// parse reads the command line: options, the file, the command.
func (o *options) parse(args []string) error {
	f := o.flags()
	for i := range beforeDash(args) {
		if bare := bareWatch.FindString(strings.Join(args[max(i-1, 0):i+1], "=")); bare != "" {
			args[i] = bare + "s"
		}
	}
	if err := f.Parse(args); err != nil {
		return badOption(err)
	}
	rest := f.Args()
	isHelp := func(word string) bool { return word == "--help" || word == "-h" || word == "help" }
	switch {
	case len(rest) > 1 && isHelp(rest[1]) && !isCommand(rest[0]): // FILE --help TOPIC
		o.Help, rest = true, rest[2:]
	case len(rest) > 0 && isHelp(rest[0]) && o.isNoFile(rest[0]):
		o.Help, rest = true, rest[1:]
	}
	switch {
	case o.Help && len(rest) > 1 && isCommand(rest[1]): // --help FILE COMMAND
		o.topic = rest[1]
	case o.Help && len(rest) > 0:
		o.topic = rest[0]
	}
	if o.Help || o.Version {
		return nil
	}
	args, err := o.parseCommand(rest)
	if err != nil {
		return err
	}
	o.command = commands[o.verb]
	if err := o.parseArgs(f, args); err != nil {
		return err
	}
	if o.Help {
		return nil
	}
	if err := cmp.Or(o.refuseUseless(f), o.refuseEmpty(f)); err != nil {
		return err
	}
	return o.validate(f)
}

// refuseEmpty refuses an empty word or value, which may come from an unset variable in a script. An empty name would
// mean every server, and an empty time would count as not given.
func (o *options) refuseEmpty(f *pflag.FlagSet) (err error) {
	words := o.args
	if o.dash >= 0 {
		words = words[:o.dash] // the command of roll may have empty words
	}
	if slices.Contains(words, "") {
		return fmt.Errorf("%s: an argument is empty", o.verb)
	}
	f.Visit(func(flag *pflag.Flag) {
		list, isList := flag.Value.(pflag.SliceValue)
		isEmpty := flag.Value.String() == ""
		if isList {
			isEmpty = len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), "")
		}
		if isEmpty && flag.Name != "why" {
			err = fmt.Errorf("--%s: a value is empty", flag.Name)
		}
	})
	return err
}

// refuseUseless refuses an option that only other commands have, because a script might rely on its effect.
func (o *options) refuseUseless(f *pflag.FlagSet) (err error) {
	own := o.command.Options
	f.Visit(func(flag *pflag.Flag) {
		has := func(c command) bool { return slices.Contains(c.Options, flag.Name) }
		if has(o.command) || !slices.ContainsFunc(slices.Collect(maps.Values(commands)), has) {
			return
		}
		err = fmt.Errorf("%s has no --%s", o.verb, flag.Name)
		if len(own) > 0 {
			err = fmt.Errorf("%w; it has --%s", err, strings.Join(own, ", --"))
		}
	})
	return err
}

// parseCommand reads `[CONFIG] COMMAND` and returns the words after it. If the second word is a command, the first one
// is the file. `notify stop` is ambiguous: notify is the file only if a file of that name exists.
func (o *options) parseCommand(words []string) (args []string, err error) {
	switch {
	case len(words) == 0:
		return nil, errors.New("no command")
	case len(words) == 1 && !isCommand(words[0]):
		if path, err := o.dirs.Find(words[0]); err == nil {
			return nil, fmt.Errorf("no command after the file %s", path)
		}
		return nil, unknownCommand(words[0])
	case len(words) == 1 || isCommand(words[0]) && o.leads(words[0], words[1]):
		o.verb = words[0]
		return words[1:], nil
	case isCommand(words[1]):
		// an empty word must not mean the default configuration, so it becomes a name that is not found
		o.config, o.verb = cmp.Or(words[0], `""`), words[1]
		return words[2:], nil
	case isCommand(words[0]) && !strings.HasPrefix(words[1], "-"):
		return nil, fmt.Errorf("%q is not a command: the file comes before the command, as in %s %s", words[1],
			words[1], words[0])
	default:
		return nil, unknownCommand(words[1])
	}
}

// leads reports whether verb, followed by next, is the command rather than the file.
func (o *options) leads(verb, next string) bool {
	if strings.HasPrefix(next, "--") || strings.HasPrefix(next, "-") && commands[verb].Takes != "" {
		return true
	}
	return commands[verb].Max > 0 && (!isCommand(next) || o.isNoFile(verb))
}

// isNoFile reports whether there is no configuration file of this name.
func (o *options) isNoFile(name string) bool {
	_, err := o.dirs.Find(name)
	return err != nil
}

func unknownCommand(word string) error {
	if strings.HasPrefix(word, "-") {
		return fmt.Errorf("unknown command %q: options come before the file", word)
	}
	return fmt.Errorf("unknown command %q%s", word, parser.DidYouMean(word, slices.Sorted(maps.Keys(commands))))
}

// parseArgs reads the words after the command. The commands of the Perl ldirectord ignore these words, here as in that
// program, with two exceptions. Long options are read, because that program does not accept them there. An address is
// an error: an operator who types "stop SERVER" does not mean to stop the daemon.
func (o *options) parseArgs(f *pflag.FlagSet, rest []string) error {
	for i, word := range beforeDash(rest) {
		if word == "-v" && slices.Contains(o.command.Options, "verbose") { // before the command -v is --version
			rest[i] = "--verbose"
		}
		if n, _ := strconv.Atoi(word); n < 0 && i > 0 && rest[i-1] == string(orders.Weigh) {
			rest = slices.Insert(rest, i, "--") // a number, not an option
			break
		}
	}
	isLong := func(word string) bool { return strings.HasPrefix(word, "--") }
	if i := slices.IndexFunc(rest, isAddress); i >= 0 && o.command.Takes == "" {
		return fmt.Errorf("%s %s: %[1]s applies to the whole daemon; to give a server an order, use set",
			o.verb, rest[i])
	}
	if o.command.Takes == "" && !slices.ContainsFunc(rest, isLong) {
		return nil
	}
	f.SetInterspersed(true)
	if err := f.Parse(rest); err != nil {
		return badOption(err)
	}
	if o.Help {
		o.topic = o.verb
		return nil
	}
	o.args, o.dash = f.Args(), f.ArgsLenAtDash()
	switch {
	case o.command.Takes == "":
	case len(o.args) < o.command.Min:
		return fmt.Errorf("%s: %s must come after it", o.verb, o.command.Takes)
	case len(o.args) > o.command.Max:
		return fmt.Errorf("%s %s: %s may come after %s", o.verb, strings.Join(o.args, " "), o.command.Takes,
			o.verb)
	}
	return nil
}

// beforeDash returns the words before --. The words after it, such as the command of roll, are not options.
func beforeDash(words []string) []string {
	if i := slices.Index(words, "--"); i >= 0 {
		return words[:i]
	}
	return words
}

func isAddress(word string) bool {
	_, err := readClient(word)
	return word != "" && err == nil
}

// flagWords matches the library's wording, such as "unknown shorthand flag: 'x' in -x".
var flagWords = regexp.MustCompile(`^(unknown |bad )?(?:shorthand )?flag:?( needs an argument:)?(?: '\S+' in)?`)

// badOption returns the error for an unknown option or an invalid value, in our own words.
func badOption(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return errors.New(flagWords.ReplaceAllString(err.Error(), "${1}option$2"))
	}
	allowed := map[string]string{"int": "numbers", "duration": "times such as 90s or 10m", "bool": "true and false",
		"stringSlice": "names without quotes, with commas between them,"}
	return fmt.Errorf("--%s %s: %s are allowed", bad.GetFlag().Name, bad.GetValue(),
		allowed[bad.GetFlag().Value.Type()])
}

// spelling accepts long options as the Perl ldirectord does: --DEBUG and --d mean --debug.
func spelling(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	name = strings.ToLower(name)
	if long, ok := map[string]string{"d": "debug", "h": "help", "v": "version"}[name]; ok {
		name = long
	}
	return pflag.NormalizedName(name)
}

// flags defines a flag for each row of options.txt, which sets the field of the same name.
func (o *options) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("ldirectord", pflag.ContinueOnError)
	f.SetInterspersed(false)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	f.SetNormalizeFunc(spelling)
	f.BoolVarP(&o.Help, "?", "?", false, "") // the Perl ldirectord's other -h
	f.Lookup("?").Hidden = true
	fields := reflect.ValueOf(o).Elem()
	o.IPVS, o.LogFormat, o.Lines, o.Timeout = defaultIPVS, defaultLogFormat, 20, 10*time.Minute
	for _, e := range optionEntries {
		name := strings.ReplaceAll(e.name, "-", "")
		field := fields.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, name) })
		switch to := field.Addr().Interface().(type) {
		case *bool:
			f.BoolVarP(to, e.name, e.short, false, "")
		case *string:
			f.StringVarP(to, e.name, e.short, *to, "")
		case *[]string:
			f.StringSliceVarP(to, e.name, e.short, nil, "")
		case *int:
			f.IntVarP(to, e.name, e.short, *to, "")
		case *time.Duration:
			f.DurationVarP(to, e.name, e.short, *to, "")
		}
	}
	f.Lookup("watch").NoOptDefVal = defaultWatch
	return f
}

// validate parses the values of options, and refuses values that are wrong or contradict each other.
func (o *options) validate(f *pflag.FlagSet) (err error) {
	if o.table, err = ipvsctl.Open(o.IPVS); err != nil {
		return err
	}
	if file, inFile := strings.CutPrefix(o.IPVS, "memory:"); inFile {
		path, err := filepath.Abs(file)
		if err != nil {
			return fmt.Errorf("--ipvs %s: %w", o.IPVS, err)
		}
		o.IPVS = "memory:" + path
	}
	if o.RunDir != "" {
		dir, err := filepath.Abs(o.RunDir)
		if err != nil {
			return fmt.Errorf("--rundir %s: %w", o.RunDir, err)
		}
		o.RunDir = dir
	}
	if o.about, err = readClient(o.Client); err != nil {
		return err
	}
	switch {
	case o.Lines < 1:
		return fmt.Errorf("--lines %d: it must be 1 or more", o.Lines)
	case f.Changed("timeout") && !o.Wait && o.verb != "wait" && o.verb != "roll":
		return errors.New("--timeout needs --wait")
	case o.Running && !o.supposing.any():
		return errors.New("--running needs --down, --drain, --without-director or --each")
	case o.Each && (len(o.Down)+len(o.Drain) > 0 || o.WithoutDirector):
		return errors.New(
			"--each simulates the loss of each server, so it does not work with --down, --drain or " +
				"--without-director")
	case o.verb == "connections" && f.Changed("lines") && !o.Top:
		return errors.New("--lines needs --top")
	case len(o.Of) > 0 && (o.Verbose || f.Changed("watch")):
		return errors.New("--of does not work with --verbose or --watch, which show this director")
	case o.Top && o.Client != "":
		return errors.New("--top shows all clients and --client shows one; use one of them")
	case o.WithSecrets && !o.JSON:
		return errors.New("--with-secrets needs --json")
	case f.Changed("watch") && (o.Watch < minWatch || o.Watch > maxWatch || o.JSON):
		return fmt.Errorf("--watch=%s: it must be from 1s to 1h, and does not work with --json", o.Watch)
	case f.Changed("confirm") && (o.Confirm < time.Second || o.Confirm > time.Hour):
		return fmt.Errorf("--confirm %s: it must be from 1s to 1h", o.Confirm)
	case o.LogFormat != "text" && o.LogFormat != "json":
		return fmt.Errorf("--log-format %s: text and json are allowed", o.LogFormat)
	}
	return nil
}

// chooseRunDir chooses the run folder if --rundir is not given. It prefers a folder in which a daemon runs, then the
// folder that systemd made for our unit, then the default. It ignores a folder that systemd made for another unit.
func (o *options) chooseRunDir() {
	if o.RunDir != "" {
		return
	}
	for _, o.RunDir = range []string{instance.UnitFolder, defaultRunDir} {
		if o.found().Pid != 0 {
			return
		}
	}
	if os.Getenv("RUNTIME_DIRECTORY") == instance.UnitFolder {
		o.RunDir = instance.UnitFolder
	}
}

// instance returns the daemon that this command line refers to.
func (o *options) instance() instance.Instance {
	d := instance.Daemon{Path: o.path, Table: o.IPVS, NetNS: instance.NetNS()}
	return instance.New(o.RunDir, d, o.names()...)
}

// found describes the running daemon, if there is one.
func (o *options) found() instance.Found { return o.instance().Find() }

// names returns the possible names of the pid file, beginning with the one that follows from this command line. The
// default configuration has two names.
func (o *options) names() []string {
	names := []string{o.instanceName()}
	if o.config == "" {
		return append(names, filepath.Base(o.path))
	}
	standard, gone := o.dirs.Find("")
	if o.path == standard || gone != nil && slices.Contains(o.dirs.Paths(""), o.path) {
		names = append(names, nameless)
	}
	return names
}

// nameless is the daemon's name if the command line has no CONFIG.
const nameless = "ldirectord"

// instanceName returns the name that the pid file's path contains: that of the configuration or, without one, that of
// the program.
func (o *options) instanceName() string {
	if o.config == "" {
		return nameless
	}
	return filepath.Base(o.config)
}

// socket returns the control socket of the daemon that this command line refers to.
func (o *options) socket() socket.Socket { return socket.Socket(o.instance().Files().Socket) }

// roleFile returns the role file of the daemon that this command line refers to.
func (o *options) roleFile() instance.RoleFile { return instance.RoleFile(o.instance().Files().Role) }

// again returns the beginning of a command line for the same file and machine: the program, the options and the file.
func (o *options) again() string { return daemon.Again(o.own(), o.path) }

// own returns the options that later calls for the same machine need as well.
func (o *options) own() (args []string) {
	for _, v := range [][3]string{ // each with the default
		{"--ipvs", o.IPVS, defaultIPVS}, {"--log-format", o.LogFormat, defaultLogFormat},
		{"--rundir", o.RunDir, defaultRunDir},
	} {
		if v[1] != v[2] {
			args = append(args, v[:2]...)
		}
	}
	return args
}
