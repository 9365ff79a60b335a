package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// acts are the steps that do something.
var acts = map[string]func(*play, step) error{
	"conf":        (*play).conf,
	"file":        (*play).file,
	"serve":       (*play).serve,
	"stop":        (*play).stop,
	"again":       (*play).again,
	"set":         (*play).set,
	"certificate": (*play).certificate,
	"background":  (*play).inBackground,
	"signal":      (*play).signal,
	"mark":        (*play).mark,
	"env":         (*play).setEnv,
	"ipvsadm":     (*play).ipvsadm,
	"sh":          (*play).sh,
	"until":       (*play).until,
	"await":       (*play).awaitEvent,
	"wait":        (*play).wait,
}

// looks are the steps that compare something.
var looks = map[string]func(*play, step, options) (*observation, error){
	"ldirectord": (*play).ldirectord,
	"says":       (*play).says,
	"end":        (*play).end,
	"judge":      (*play).judge,
	"table":      (*play).showTable,
	"log":        (*play).showLog,
	"mails":      (*play).showMails,
	"monitor":    (*play).showMonitor,
	"lines":      (*play).showLines,
	"output":     (*play).output,
	"pid":        (*play).pid,
}

var option = regexp.MustCompile(`^(hold|limit|rounds|only|match|last|in)=(\S+) ?`)

type options map[string]string

// options takes leading NAME=VALUE words off a step.
func (s *step) options() options {
	found := options{}
	for {
		m := option.FindStringSubmatch(s.rest)
		if m == nil {
			return found
		}
		found[m[1]] = m[2]
		s.rest = s.rest[len(m[0]):]
	}
}

// apply sets what every comparing step knows.
func (o options) apply(to *observation) error {
	for name, at := range map[string]*time.Duration{"hold": &to.hold, "limit": &to.limit} {
		if text, ok := o[name]; ok {
			d, err := time.ParseDuration(text)
			if err != nil {
				return err
			}
			*at = d
		}
	}
	if text, ok := o["rounds"]; ok {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		to.rounds = n
	}
	return nil
}

// conf installs a configuration: its own block, or the one named.
func (p *play) conf(s step) error {
	name := s.rest
	if name == "" {
		name = "ldirectord.cf"
	}
	if !strings.HasPrefix(name, "/") {
		name = filepath.Join(configDir, name)
	}
	// The Perl ldirectord sees a change only by a new second.
	if info, err := os.Stat(name); err == nil {
		time.Sleep(time.Until(info.ModTime().Truncate(time.Second).Add(time.Second)))
	}
	text := strings.Join(s.block, "\n") + "\n"
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func (p *play) file(s step) error {
	text := strings.Join(s.block, "\n") + "\n"
	return os.WriteFile(filepath.Join(scratch, s.rest), []byte(text), 0o755)
}

// command is the tested binary, with its output into one file.
func (p *play) command(args []string) (*exec.Cmd, *os.File, error) {
	out, err := os.CreateTemp(scratch, "output-")
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(p.Binary.Path, args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = p.env, "/", out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, out, nil
}

func (p *play) ldirectord(s step, _ options) (*observation, error) {
	args, err := words(s.rest)
	if err != nil {
		return nil, err
	}
	cmd, out, err := p.command(args)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	result := finish(cmd, p.Binary.patience(30*time.Second))
	said, err := os.ReadFile(out.Name())
	p.said = string(said)
	if result == "exit 0" {
		err = errors.Join(err, p.beginShadow(args))
	}
	return final(result, "exit 0"), err
}

// finish waits for a command, ends it at its limit, and tells how it ended.
func finish(cmd *exec.Cmd, limit time.Duration) string {
	kill := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	cmd.Wait() // the state tells more than the error
	if !kill.Stop() {
		return "still running"
	}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return "killed by " + status.Signal().String()
	}
	return fmt.Sprintf("exit %d", cmd.ProcessState.ExitCode())
}

func final(result, usual string) *observation {
	return &observation{look: func() ([]string, error) { return []string{result}, nil }, usual: []string{usual}}
}

func (p *play) says(s step, _ options) (*observation, error) {
	re, err := regexp.Compile("(?i)" + s.rest)
	if err != nil {
		return nil, err
	}
	if re.MatchString(p.said) {
		return final("yes", "yes"), nil
	}
	return final("no", "yes"), nil
}

func (p *play) inBackground(s step) error {
	args, err := words(s.rest)
	if err != nil {
		return err
	}
	cmd, out, err := p.command(args[1:])
	if err != nil {
		return err
	}
	defer out.Close()
	p.background[args[0]] = cmd
	if err := os.Rename(out.Name(), filepath.Join(scratch, args[0]+".output")); err != nil {
		return err
	}
	return cmd.Start()
}

// end signals what runs in the background, and compares how it ends.
func (p *play) end(s step, _ options) (*observation, error) {
	name, signal, _ := strings.Cut(s.rest, " ")
	cmd := p.background[name]
	if cmd == nil {
		return nil, fmt.Errorf("nothing called %s runs", name)
	}
	if signal != "" {
		cmd.Process.Signal(unix.SignalNum("SIG" + signal)) // it may have ended by itself
	}
	return final(finish(cmd, p.Binary.patience(20*time.Second)), "exit 0"), nil
}

func (p *play) signal(s step) error {
	name, config, _ := strings.Cut(s.rest, " ")
	if config == "" {
		config = "ldirectord.cf"
	}
	pid, err := strconv.Atoi(strings.Join(readLines(pidFile(config), 0), ""))
	if err != nil {
		return fmt.Errorf("no daemon to signal: %w", err)
	}
	sig := unix.SignalNum("SIG" + name)
	if sig == 0 {
		return fmt.Errorf("unknown signal")
	}
	return syscall.Kill(pid, sig)
}

func pidFile(config string) string { return "/run/ldirectord." + config + ".pid" }

func (p *play) pid(s step, _ options) (*observation, error) {
	path := pidFile(s.rest)
	look := func() ([]string, error) {
		if _, err := os.Stat(path); err != nil {
			return []string{"no pid file"}, nil
		}
		lines := readLines(path, 0)
		if len(lines) != 1 {
			return []string{"odd pid file"}, nil
		}
		if _, err := os.Stat("/proc/" + lines[0]); err != nil {
			return []string{"pid file, process gone"}, nil
		}
		return []string{"pid file, process alive"}, nil
	}
	return &observation{look: look, usual: []string{"pid file, process alive"}, limit: 12 * time.Second}, nil
}

func (p *play) showTable(s step, _ options) (*observation, error) {
	o := &observation{look: p.table.read, limit: 30 * time.Second, hold: 1300 * time.Millisecond, rounds: 3}
	if s.rest == "thresholds" {
		o.look = readWithThresholds
	} else if s.rest != "" {
		return nil, fmt.Errorf("unknown option")
	}
	return o, nil
}

func (p *play) showLog(s step, options options) (*observation, error) {
	path := daemonLog
	if in := options["in"]; in != "" {
		path = in
	}
	kinds := strings.Fields(s.rest)
	if len(kinds) == 0 {
		kinds = usualKinds
	}
	look := func() ([]string, error) { return eventsIn(readLines(path, p.marks[path]), kinds), nil }
	return &observation{look: look, limit: 6 * time.Second}, nil
}

const mailbox = scratch + "/mail.store"

func (p *play) showMails(s step, options options) (*observation, error) {
	only, err := regexp.Compile(options["only"])
	if err != nil {
		return nil, err
	}
	look := func() ([]string, error) {
		stored, err := readMails(mailbox, p.marks[mailbox])
		var mails [][]string // the subject is the third line
		for _, m := range stored {
			subject, lines := m.describe()
			same := func(other []string) bool { return slices.Equal(other, lines) }
			if only.MatchString(subject) && !slices.ContainsFunc(mails, same) {
				mails = append(mails, lines)
			}
		}
		slices.SortStableFunc(mails, func(a, b []string) int { return strings.Compare(a[2], b[2]) })
		return slices.Concat(mails...), err
	}
	return &observation{look: look, limit: 12 * time.Second, hold: time.Second / 2}, nil
}

func (p *play) showMonitor(s step, _ options) (*observation, error) {
	look := func() ([]string, error) { return monitored(readLines(s.rest, 0)), nil }
	return &observation{look: look, limit: 8 * time.Second}, nil
}

// showLines shows a file since the last mark: sorted and each once, or its last lines as they are.
func (p *play) showLines(s step, options options) (*observation, error) {
	match, err := regexp.Compile(options["match"])
	if err != nil {
		return nil, err
	}
	last, err := strconv.Atoi(options["last"])
	if err != nil && options["last"] != "" {
		return nil, err
	}
	look := func() ([]string, error) {
		lines := slices.DeleteFunc(readLines(s.rest, p.marks[s.rest]),
			func(l string) bool { return !match.MatchString(l) })
		if last > 0 {
			return lines[max(0, len(lines)-last):], nil
		}
		slices.Sort(lines)
		return slices.Compact(lines), nil
	}
	return &observation{look: look, limit: 10 * time.Second}, nil
}

func (p *play) output(s step, _ options) (*observation, error) {
	script := s.script()
	look := func() ([]string, error) {
		cmd := p.bash(script)
		out, _ := cmd.Output() // the output is all that counts
		return splitLines(string(out)), nil
	}
	return &observation{look: look, limit: 8 * time.Second}, nil
}

// mark forgets what the log, the mailbox and the files of calls have so far.
func (p *play) mark(s step) error {
	files, err := filepath.Glob(scratch + "/*.calls")
	for _, path := range append(files, append(strings.Fields(s.rest), daemonLog, mailbox)...) {
		if info, err := os.Stat(path); err == nil {
			p.marks[path] = info.Size()
		}
	}
	return err
}

func (p *play) setEnv(s step) error {
	vars, err := words(s.rest)
	p.env = append(p.env, vars...)
	return err
}

func (p *play) ipvsadm(s step) error {
	_, err := ipvsadm(strings.Fields(s.rest)...)
	return err
}

// script is the rest of the line, or the block.
func (s step) script() string {
	return strings.Join(append([]string{s.rest}, s.block...), "\n")
}

func (p *play) bash(script string) *exec.Cmd {
	cmd := exec.Command("bash", "-c", script)
	cmd.Env, cmd.Dir = p.env, "/"
	cmd.WaitDelay = time.Second // what it leaves may hold the pipes
	return cmd
}

func (p *play) sh(s step) error {
	out, err := p.bash(s.script()).CombinedOutput()
	if err != nil && err != exec.ErrWaitDelay {
		return fmt.Errorf("%v: %s", err, out)
	}
	return nil
}

func (p *play) until(s step) error {
	return p.comes(&s, func() bool { return p.bash(s.script()).Run() == nil })
}

// awaitEvent waits for an event in the log since the last mark.
func (p *play) awaitEvent(s step) error {
	return p.comes(&s, func() bool {
		return len(eventsIn(readLines(daemonLog, p.marks[daemonLog]), strings.Fields(s.rest))) > 0
	})
}

// comes waits until something is so, for as long as the step says.
func (p *play) comes(s *step, so func() bool) error {
	o := observation{limit: 30 * time.Second}
	if err := s.options().apply(&o); err != nil {
		return err
	}
	for end := time.Now().Add(p.Binary.patience(o.limit)); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("never came true")
		}
	}
	return nil
}

func (p *play) wait(s step) error {
	d, err := time.ParseDuration(s.rest)
	time.Sleep(p.Binary.patience(d))
	return err
}

// readLines reads a file's lines after an offset; a missing file has none.
func readLines(path string, from int64) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() < from {
		from = 0 // it was rotated
	}
	text, _ := io.ReadAll(io.NewSectionReader(f, from, 1<<26)) // what could be read is compared
	return splitLines(string(text))
}

func splitLines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\r")
	}
	return lines
}
