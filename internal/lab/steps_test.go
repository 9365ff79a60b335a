package lab

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"ldirectord/internal/testkit"
)

// scene is the lab of a script in testdata. The script's folder is the run folder.
type scene struct {
	*lab
	ts        *testscript.TestScript
	is        bool           // the command has no !
	said      string         // by the last command
	since     time.Time      // of `mark`
	started   time.Duration  // how long the last start took
	marks     map[string]int // the length of each log then
	was       string         // the table at `remember`
	made      string         // the private services at `private`
	webs      map[string]*web
	listeners map[string]net.Listener
	held      net.Conn
	pair      *watchedPair
	failures  *failures // since `traffic`
	faults    []fault   // that doctor found at `finds`
	fault     fault
	named     sync.Map // by address: when a server was named last; the zero time: it is named
}

// steps are the commands of scripts beside testscript's own. Time in which this kernel stood still counts for none.
//
//	config FILE [NAME]    makes FILE the configuration, or that of NAME with the log NAME.log; $WORK is the folder
//	checkvip LANE…        makes one whose servers are checked through virtual addresses, port 7000, and prepares
//	                      them; the file servers gets their lines of the table
//	section NAME VIRTUAL WEIGHT [LINE…]  makes that of NAME: a virtual service with one server
//	does ARG…             runs the program with the configuration in the director; it succeeds
//	exits N ARG…          the same with another exit status
//	ldirectord NAME ARG…  does with the configuration NAME
//	signal SIGNAL [NAME]  sends a signal to the daemon, or that of NAME; waits for the end of one that is killed
//	pid VARIABLE NAME     the process of the daemon of NAME
//	in NAMESPACE ARG…     runs any program; it succeeds
//	shown TIME TEXT NAMESPACE ARG…  waits until a program shows a text
//	[!] prints TEXT…      the last of these printed each text, or none; white space counts as one blank
//	mark                  from now on only later lines of the logs count; waits until they are written: the daemon
//	                      changes the table and says so afterwards
//	[!] logs FILE TEXT…   waits until a log has each text, or has none now; a file may have the texts
//	changes N             the log has N changes of the table
//	until TIME LINE…      waits until the table has these lines, and not those after "no "; a file may have them
//	early TIME LINE…      the table has them now, unless TIME has passed since mark
//	took LEAST MOST       how long ago mark was
//	clock TIME            sets the clock forward, or back, until the end of the script
//	remember, unchanged   the table is as it was
//	private N [TIME]      waits until there are N private services with a server each, which stay for TIME
//	private unchanged     waits until there are the same again
//	rules TIME LINE…      waits until there are such mark rules, and one jump to them; 0s: without a jump
//	backends              sets HERE to iptables' back end; the file both gets the warning of two, if there are two
//	device NAME ADDRESS…  waits until a device has these addresses and no others
//	echo NAMESPACE ADDRESS…  runs servers that echo everything; close NAMESPACE ADDRESS ends one
//	web NAMESPACE PORT…   runs a web server; web NAMESPACE HOW changes it: stop, start, unplug, plug, drop, accept
//	                      or a mode
//	answers ADDRESS TEXT  a client gets such an answer
//	served ADDRESS NAME…  clients get answers of these servers and no others
//	hold SERVER           opens a connection that goes to a server; talks uses it, and release closes it
//	realservers WORD N…   runs realserver-script in rsN
//	finds FILE KIND       doctor finds this kind of fault with a configuration
//	obey, gone            runs the command that doctor printed; doctor finds the fault no longer
//	watch, weights WEIGHT…  watches 192.0.2.10:7000, and ends that: its server had these weights in turn, if any
//	                      are told, and the service was never empty for more than a second
//	stays TIME            that server has weight 1 all the time
//	night                 starts testdata/night/night.cf, with two healthy servers
//	tonight TROUBLE [NAME]  waits until the command of a row of docs/night.md prints its words
//	setenv NAME VALUE     for the program, until the end of the script
//	named NAMESPACE…      these servers are named from now on, and no others; looks: from now on no server has a
//	                      weight that was not named lately
//	nameserver            starts the director's, which says of each name what its file has
//	traffic               starts a client, see failureSteps
var steps = map[string]func(s *scene, args []string){
	"config": func(s *scene, args []string) {
		text := strings.ReplaceAll(s.ts.ReadFile(args[0]), "$WORK", s.dir)
		if len(args) == 1 {
			s.config(text)
		} else {
			s.file(args[1], text)
		}
	},
	"does": func(s *scene, args []string) {
		began := time.Now()
		if s.runs(0, "ldirectord.cf", args); args[0] == "start" {
			s.started = time.Since(began)
		}
	},
	"exits":      func(s *scene, args []string) { s.runs(s.number(args[0]), "ldirectord.cf", args[1:]) },
	"ldirectord": func(s *scene, args []string) { s.runs(0, args[0], args[1:]) },
	"signal": func(s *scene, args []string) {
		s.send(cmp.Or(strings.Join(args[1:], ""), "ldirectord.cf"), unix.SignalNum("SIG"+args[0]))
	},
	"pid": func(s *scene, args []string) { s.ts.Setenv(args[0], strconv.Itoa(s.pidOf(args[1]))) },
	"in": func(s *scene, args []string) {
		cmd := s.inside(args[0], args[1:]...)
		cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "LDIRECTORD="+program(s.t))
		s.tells(testkit.Run(s.t, cmd))
	},
	"prints": func(s *scene, args []string) { s.has(s.is, unfold(s.said), s.lines(args)) },
	"mark": func(s *scene, _ []string) {
		for n := 0; n < 20; n++ {
			before := maps.Clone(s.marks)
			s.measure()
			if n > 0 && maps.Equal(s.marks, before) {
				break
			}
			time.Sleep(300 * time.Millisecond)
		}
		s.since = time.Now()
	},
	"logs": func(s *scene, args []string) {
		since := s.marks[args[0]]
		if !s.is {
			s.has(false, s.ts.ReadFile(args[0])[since:], s.lines(args[1:]))
			return
		}
		for _, text := range s.lines(args[1:]) {
			s.fileSays(filepath.Join(s.dir, args[0]), since, 10*time.Second, text)
		}
	},
	"changes": func(s *scene, args []string) {
		n, lines := s.changes(s.marks["log"])
		testkit.Equal(s.t, n, s.number(args[0]), "changes", lines)
	},
	"until": func(s *scene, args []string) {
		s.ts.Logf("after %v", s.until(s.time(args[0]), s.lines(args[1:])...).Round(10*time.Millisecond))
	},
	"remember": func(s *scene, _ []string) { s.was = s.table() },
	"unchanged": func(s *scene, _ []string) {
		testkit.Equal(s.t, s.table(), s.was, "the table", s.logText())
	},
	"private": func(s *scene, args []string) {
		if args[0] == "unchanged" {
			s.privateIs(s.made)
			return
		}
		s.made = s.privateAre(s.number(args[0]))
		stays := s.time(cmp.Or(strings.Join(args[1:], ""), "0s"))
		for begin := time.Now(); time.Since(begin) < stays; time.Sleep(100 * time.Millisecond) {
			testkit.Equal(s.t, s.private(), s.made, "the private services", s.logText())
		}
	},
	"rules": func(s *scene, args []string) {
		if limit := s.time(args[0]); limit > 0 {
			s.within(limit, args[1:]...)
		} else {
			s.wantMarks(args[1:]...)
		}
	},
	"early": func(s *scene, args []string) {
		if table := s.table(); time.Since(s.since) < s.time(args[0]) {
			testkit.Equal(s.t, unlike(table, args[1:]), "", "the table does not have", table)
		}
	},
	"took": func(s *scene, args []string) {
		took, lost := time.Since(s.since), s.idle.since(s.since)
		if took < s.time(args[0]) || took-lost > s.time(args[1]) {
			s.t.Errorf("it took %v, of which this kernel stood still for %v; want %v", took, lost, args)
		}
	},
	"clock": func(s *scene, args []string) {
		s.setClock(s.time(args[0]))
		s.t.Cleanup(func() { s.setClock(-s.time(args[0])) })
	},
	"shown": func(s *scene, args []string) {
		show := func() string { out, _ := s.inside(args[2], args[3:]...).CombinedOutput(); return string(out) }
		s.await(s.time(args[0]), func() bool { return strings.Contains(show(), args[1]) }, args, show)
	},
	"backends": func(s *scene, _ []string) {
		here, there := s.backEnds()
		s.ts.Setenv("HERE", here)
		told := ""
		if there != "" {
			told = ":3:16: warning: iptables is " + here + " here, and " + there +
				" has rules in its mangle table as well"
		}
		testkit.Write(s.t, s.dir+"/both", told)
	},
	"section": func(s *scene, args []string) {
		const text = "virtual = %s\n\treal = 192.0.2.21:7000 gate %s\n" +
			"\tchecktype = connect\n\tcheckport = 7000\n"
		more := ""
		for _, line := range args[3:] {
			more += "\t" + line + "\n"
		}
		s.file(args[0], fmt.Sprintf(text, args[1], args[2])+more)
	},
	"watch": func(s *scene, _ []string) { s.pair = s.watchPair() },
	"stays": func(s *scene, args []string) {
		for end := time.Now().Add(s.time(args[0])); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if got := weightOf(s.table()); got != "1" {
				s.t.Fatalf("the weight is %q", got)
			}
		}
	},
	"weights": func(s *scene, args []string) {
		if want := s.lines(args); len(want) > 0 {
			are := func() bool { return slices.Equal(s.pair.weights(), want) }
			s.await(5*time.Second, are, "the weights are", s.pair.String, "want", want)
		}
		s.pair.end()
		if s.pair.gap > time.Second {
			s.t.Errorf("the service was empty for %v", s.pair.gap)
		}
	},
	"night": func(s *scene, _ []string) { s.night() },
	"tonight": func(s *scene, args []string) {
		s.tonight(args[0], cmp.Or(strings.Join(args[1:], ""), "ldirectord.cf"))
	},
	"setenv":     func(s *scene, args []string) { s.t.Setenv(args[0], args[1]) },
	"named":      func(s *scene, args []string) { s.names(args) },
	"looks":      func(s *scene, _ []string) { s.looks() },
	"nameserver": func(s *scene, _ []string) { s.nameserver() },
	"traffic":    func(s *scene, _ []string) { s.failures = s.begins() },
	"finds": func(s *scene, args []string) {
		s.config(s.ts.ReadFile(args[0]))
		s.finds(args[1])
	},
	"obey":    func(s *scene, _ []string) { s.obey() },
	"gone":    func(s *scene, _ []string) { s.gone() },
	"hold":    func(s *scene, args []string) { s.held = s.dialThrough(args[0]) },
	"talks":   func(s *scene, _ []string) { testkit.Equal(s.t, talks(s.held), true, "the connection lives") },
	"release": func(s *scene, _ []string) { s.held.Close() },
	"checkvip": func(s *scene, args []string) {
		var some []lane
		for _, arg := range args {
			i := slices.IndexFunc(lanes, func(w lane) bool { return w.String() == arg })
			some = append(some, lanes[i])
		}
		s.config(throughVIPs(some...))
		s.realServerScript(s.path(), "start", 1, 2, 3)
		lines := ""
		for n := range three {
			lines += strings.Join(s.inTable(n+1, some...), "\n") + "\n"
		}
		testkit.Write(s.t, s.dir+"/servers", lines)
	},
	"device": func(s *scene, args []string) { s.onDevice(args[0], args[1:]...) },
	"echo": func(s *scene, args []string) {
		for _, addr := range args[1:] {
			s.listeners[args[0]+addr] = s.echoing(args[0], addr)
		}
	},
	"close": func(s *scene, args []string) { s.listeners[args[0]+args[1]].Close() },
	"web": func(s *scene, args []string) {
		if s.webs[args[0]] == nil {
			s.webs[args[0]] = s.webOn(args[0], args[1:]...)
		} else {
			s.webs[args[0]].becomes(args[1])
		}
	},
	"answers": func(s *scene, args []string) {
		testkit.Contains(s.t, s.askAt(args[0]), args[1], "the answer of", args[0])
	},
	"served": func(s *scene, args []string) { s.served(args[0], args[1:]...) },
	"realservers": func(s *scene, args []string) {
		for _, n := range args[1:] {
			s.realServerScript(s.path(), args[0], s.number(n))
		}
	},
}
