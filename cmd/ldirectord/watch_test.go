package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"ldirectord/internal/testkit"
)

// terminal is the other side of a pseudo-terminal, with what it shows to a person.
type terminal struct {
	t      *testing.T
	keys   *os.File // the test types here
	screen *os.File // the terminal of the program

	mu            sync.Mutex // guards what follows
	first, second [][]rune   // its two screens, rows of characters
	other         bool       // the second one is shown
	cursor, wraps bool
	coloured      bool // colours were used
	row, column   int
	drawn         []string // earlier screens that await has not looked at
}

func newTerminal(t *testing.T, columns, rows uint16) *terminal {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	fd := int(keys.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	testkit.OK(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	screen, errOpen := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil || errOpen != nil {
		t.Fatal(err, errOpen)
	}
	term := &terminal{t: t, keys: keys, screen: screen, cursor: true, wraps: true}
	term.resize(columns, rows)
	t.Cleanup(func() { keys.Close(); screen.Close() })
	go func() {
		for b := bufio.NewReader(keys); ; {
			r, _, err := b.ReadRune()
			if err != nil {
				return
			}
			if r != 0x1b {
				term.put(r)
				continue
			}
			sequence := ""
			for !unicode.IsLetter(r) && err == nil {
				r, _, err = b.ReadRune()
				sequence += string(r)
			}
			term.obey(sequence)
		}
	}()
	return term
}

// resize changes the terminal's size and notifies the program, as a window does.
func (term *terminal) resize(columns, rows uint16) {
	term.t.Helper()
	term.mu.Lock()
	term.second, term.drawn = nil, nil
	term.mu.Unlock()
	testkit.OK(term.t,
		unix.IoctlSetWinsize(int(term.keys.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}))
}

func (term *terminal) shown() *[][]rune {
	if term.other {
		return &term.second
	}
	return &term.first
}

func (term *terminal) put(r rune) {
	term.mu.Lock()
	defer term.mu.Unlock()
	switch r {
	case '\r':
		term.column = 0
		return
	case '\n':
		term.row++
		return
	}
	rows := term.shown()
	for len(*rows) <= term.row {
		*rows = append(*rows, nil)
	}
	line := &(*rows)[term.row]
	for len(*line) <= term.column {
		*line = append(*line, ' ')
	}
	(*line)[term.column] = r
	term.column++
}

// obey does what an escape sequence tells. One that Screen doesn't use is an error.
func (term *terminal) obey(sequence string) {
	term.mu.Lock()
	defer term.mu.Unlock()
	rows, isOn := term.shown(), strings.HasSuffix(sequence, "h")
	switch {
	case sequence == "[?1049h" || sequence == "[?1049l":
		term.other = isOn
	case sequence == "[?25h" || sequence == "[?25l":
		term.cursor = isOn
	case sequence == "[?7h" || sequence == "[?7l":
		term.wraps = isOn
	case strings.HasSuffix(sequence, "m"):
		term.coloured = true
	case sequence == "[2J":
		*rows = nil
	case sequence == "[K", sequence == "[J":
		if term.row < len(*rows) {
			(*rows)[term.row] = (*rows)[term.row][:min(len((*rows)[term.row]), term.column)]
		}
		if sequence == "[J" {
			*rows = (*rows)[:min(len(*rows), term.row+1)]
		}
	case strings.HasSuffix(sequence, "H"):
		fmt.Sscanf(sequence, "[%d;%d", &term.row, &term.column)
		if term.row, term.column = term.row-1, term.column-1; term.row == 0 {
			term.drawn = append(term.drawn, term.shows())
		}
	default:
		term.t.Errorf("the terminal is told %q", sequence)
	}
}

// shows is the text on the terminal; mu must be held.
func (term *terminal) shows() string {
	var b strings.Builder
	for _, line := range *term.shown() {
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return b.String()
}

// await waits until the terminal shows text that matches, or has shown it since the last await.
func (term *terminal) await(pattern string) string {
	term.t.Helper()
	wanted := regexp.MustCompile(pattern)
	var text string
	term.until("show "+pattern, func() bool {
		for len(term.drawn) > 0 {
			text, term.drawn = term.drawn[0], term.drawn[1:]
			if wanted.MatchString(text) {
				return true
			}
		}
		text = term.shows()
		return wanted.MatchString(text)
	})
	return text
}

// until waits until a condition holds; mu is held while it is evaluated.
func (term *terminal) until(what string, holds func() bool) {
	term.t.Helper()
	for end := time.Now().Add(awaitLimit); ; time.Sleep(10 * time.Millisecond) {
		term.mu.Lock()
		held, text := holds(), term.shows()
		term.mu.Unlock()
		if held {
			return
		}
		if time.Now().After(end) {
			term.t.Fatalf("the terminal does not %s, but shows\n%s", what, text)
		}
	}
}

// run begins a program on the terminal.
func (term *terminal) run(env []string, path string, args ...string) *exec.Cmd {
	term.t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), append([]string{"TERM=xterm", "NO_COLOR="}, env...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.screen, term.screen, term.screen
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	testkit.OK(term.t, cmd.Start())
	term.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

func (term *terminal) modes() unix.Termios {
	term.t.Helper()
	modes := testkit.Must(unix.IoctlGetTermios(int(term.screen.Fd()), unix.TCGETS))(term.t)
	return *modes
}

// watched is a daemon with two servers. The returned listener is the second one's.
func watched(t *testing.T) (*runningDaemon, net.Listener) {
	t.Helper()
	var config strings.Builder
	fmt.Fprintf(&config, "checkinterval = 1\nvirtual = 10.1.0.1:7000\n\tchecktype = connect\n")
	var last net.Listener
	for range 2 {
		last = testkit.Listen(t)
		fmt.Fprintf(&config, "\treal = %s masq\n", last.Addr())
	}
	d := launched(t, "start", config.String())
	within(t, "two servers up", func() bool {
		all := d.report().Virtuals[0].Servers
		return all[0].State == "up" && all[1].State == "up"
	})
	return d, last
}

func TestWatchOnATerminal(t *testing.T) {
	d, last := watched(t)
	term := newTerminal(t, 80, 24)
	term.screen.WriteString("what was there\n")
	before := term.modes()
	cmd := term.run(nil, program(t), append(d.args, "status", "-v", "--watch=1s")...)
	text := term.await(`1 virtual service: 0 without a server, 0 impaired`)
	if !term.other || term.cursor || term.wraps || term.modes() == before || strings.Contains(text, "\n* ") {
		t.Errorf("second screen %t, cursor %t, wraps %t:\n%s", term.other, term.cursor, term.wraps, text)
	}
	last.Close()
	term.await(`(?s)0 without a server, 1 impaired.*\n\*   ` + last.Addr().String() +
		` +down +\d+s .*refused.*\n    127[^\n]* up `)
	term.await(`(?s)\n    ` + last.Addr().String() + ` +down +[1-9]\d*s`) // without the mark
	term.resize(40, 5)
	term.await(`^.{8}  ld\.cf, 1 virtual service.{0,9}\n(.*\n){0,4}$`) // in 40 × 5; older output may still arrive
	term.resize(80, 24)
	d.tell("stop")
	term.await(`\nNO ANSWER; the lines below are \d+s old: asking the daemon`)
	d.tell("start")
	term.await(`^(.*)0 without a server, 1 impaired.*\nserving`)
	term.keys.WriteString("xq")
	if err := cmd.Wait(); err != nil {
		t.Errorf("q: %v", err)
	}
	term.restored(before, true)
}

// restored checks that the terminal is as it was.
func (term *terminal) restored(before unix.Termios, coloured bool) {
	term.t.Helper()
	term.until("have its first screen, cursor and breaks back", func() bool { // output may still arrive
		return !term.other && term.cursor && term.wraps && term.shows() == "what was there\n"
	})
	if term.coloured != coloured || term.modes() != before {
		term.t.Errorf("colours %t, modes %+v, before %+v", term.coloured, term.modes(), before)
	}
}

// However the program ends, the terminal is restored.
func TestWatchGivesTheTerminalBack(t *testing.T) {
	d, _ := watched(t)
	for name, end := range map[string]func(*terminal, *exec.Cmd){
		"Ctrl-C":    func(term *terminal, _ *exec.Cmd) { term.keys.WriteString("\x03") },
		"Q":         func(term *terminal, _ *exec.Cmd) { term.keys.WriteString("Q") },
		"SIGTERM":   func(_ *terminal, cmd *exec.Cmd) { cmd.Process.Signal(syscall.SIGTERM) },
		"SIGHUP":    func(_ *terminal, cmd *exec.Cmd) { cmd.Process.Signal(syscall.SIGHUP) },
		"no Ctrl-Z": func(term *terminal, _ *exec.Cmd) { term.keys.WriteString("\x1aq") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			term := newTerminal(t, 80, 24)
			term.screen.WriteString("what was there\n")
			before := term.modes()
			cmd := term.run([]string{"NO_COLOR=1"}, program(t), append(d.args, "status", "--watch=1h")...)
			term.await(`0 impaired(?s).*2 of 2 up`)
			end(term, cmd)
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			term.restored(before, false)
		})
	}
}

func TestWatchWhereNothingCanBeRedrawn(t *testing.T) {
	d, _ := watched(t)
	term := newTerminal(t, 80, 24)
	cmd := term.run([]string{"TERM=dumb"}, program(t), append(d.args, "status", "--watch")...)
	err := cmd.Wait()
	if text := term.await("status -v shows the table once"); err == nil || term.other {
		t.Errorf("%v\n%s", err, text)
	}
}
