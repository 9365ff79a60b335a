package protocol

import (
	"context"
	_ "embed"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"ldirectord/checker/wire"
	"ldirectord/internal/subprocess"
)

//go:embed externalperl.pl
var perlRunner string

// newExternalPerl returns a check that runs a Perl file. The Perl ldirectord loads the file into itself. Here a
// separate perl loads it and runs each check in another process, so that a file that hangs or crashes harms only its
// own check.
func newExternalPerl(s Spec, e *Env) (Checker, error) {
	c := newProgram(s, e, "perl", "-", s.Command)
	perls := e.Perls
	if perls == nil {
		perls = &Perls{}
		perls.Renew()
	}
	c.latest = 3*c.latest + compiling*c.timeout // the waits of runPerl
	c.run = func(ctx context.Context) ([]byte, error) { return c.runPerl(ctx, perls) }
	return perlCheck{c}, nil
}

// perlCheck is a check that runs a Perl file.
type perlCheck struct{ *external }

// Company returns the key shared by all checks that run the same file for the same virtual service.
func (c perlCheck) Company() string { return strings.Join(c.argv[:5], "\t") }

// Perls holds the perl processes: one for each file, or two if only some of its checks return a weight. Call Renew
// before the first use.
type Perls struct {
	mu  sync.Mutex
	all map[string]perl
}

type perl struct {
	*subprocess.Helper
	file syscall.Stat_t // the file as it was compiled
}

// Renew makes the next check of each file start a new perl. The old processes exit when they have answered.
func (p *Perls) Renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, of := range p.all {
		of.Close()
	}
	p.all = map[string]perl{}
}

// ask starts a check in the perl of its file. If that perl has ended, or the file has changed, ask starts a new perl.
func (p *Perls) ask(argv []string, weighs bool, check ...string) (*subprocess.Helper, <-chan string, error) {
	var now syscall.Stat_t
	_ = syscall.Stat(argv[2], &now) // perl reports why the file can't be read
	now.Atim, now.Blocks = syscall.Timespec{}, 0
	key, code := argv[2], perlRunner
	if weighs {
		key, code = key+"\tweighs", "$ldirectord::program::weighs = 1; "+code
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	of, is := p.all[key]
	if is && of.file == now {
		if answers, err := of.Ask(check...); err == nil {
			return of.Helper, answers, nil
		}
	}
	if is {
		of.Close()
	}
	h, err := subprocess.StartHelper(subprocess.Command{Argv: argv, Stdin: code})
	if err != nil {
		return nil, nil, err
	}
	p.all[key] = perl{h, now}
	answers, err := h.Ask(check...)
	return h, answers, err
}

// errPerl is the error if a perl process fails for a reason outside of its file, such as a lack of memory. It counts as
// a shortage on this machine.
var errPerl = wire.NewFault(syscall.ENOMEM, "the perl that compiled the file ended, does not answer or can't fork")

// compiling is the time limit for compiling the file, as a multiple of the limit of one check. If perl were killed at
// the limit of the check that waits for it, a file that takes longer to compile could never run.
const compiling = 6

// runPerl makes the file's perl run the check in a process, and waits for the end of the check. It kills the process at
// the timeout.
func (c *external) runPerl(ctx context.Context, perls *Perls) ([]byte, error) {
	seconds := strconv.FormatFloat(c.timeout.Seconds(), 'f', -1, 64)
	h, answers, err := perls.ask(c.argv[:3], c.weighs, append([]string{seconds}, c.argv[3:]...)...)
	if err != nil {
		return nil, err
	}
	limit := c.timeout
	if !h.Ready() {
		limit *= compiling
	}
	began, err := subprocess.Await(ctx, answers, h.Pid, limit)
	if began == "" {
		if err = h.End(err); err == subprocess.ErrEnded {
			err = errPerl
		}
		return nil, err
	}
	pid, _ := strconv.Atoi(began)
	if pid <= 1 {
		return nil, errPerl
	}
	end, late := subprocess.Await(ctx, answers, pid, c.timeout)
	if late != nil || end == "" {
		subprocess.Kill(pid)
		if end, err = subprocess.Await(ctx, answers, h.Pid, killDelay); err != nil {
			_ = h.End(err)
		}
	}
	word, text, _ := strings.Cut(end, "\t")
	status, _ := strconv.Atoi(word)
	output, _ := hex.DecodeString(text)
	switch {
	case late != nil && (end == "" || syscall.WaitStatus(status).Signaled()):
		err = late
	case end == "":
		err = errPerl
	case status != 0:
		err = ending(status)
	}
	return output, err
}
