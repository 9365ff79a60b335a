package subprocess

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrEnded means that a ready helper has exited.
var ErrEnded = errors.New("it ended")

// Helper is a program that answers requests until it is closed or exits on its own, for example after it has been idle.
// A request is one line on descriptor 3: a number and words, separated by tabs. An answer is a line on standard output:
// the number of its request and words. An answer with more than one word is the last one to its request. The first line
// on standard output makes the helper ready, even if it belongs to no request.
type Helper struct {
	Pid int
	to  *os.File

	mu      sync.Mutex // guards what follows
	asked   int
	ready   bool
	killed  bool                   // soon its pid may belong to another process
	waiting map[string]chan string // by the number of the request
	err     error                  // why the helper exited
}

// StartHelper starts a helper.
func StartHelper(c Command) (*Helper, error) {
	questions, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer questions.Close()
	cmd := c.prepare(c.Argv...)
	cmd.ExtraFiles = []*os.File{questions}
	answers, err := cmd.StdoutPipe()
	if err == nil {
		err = start(cmd)
	}
	if err != nil {
		to.Close()
		return nil, err
	}
	h := &Helper{Pid: cmd.Process.Pid, to: to, waiting: map[string]chan string{}}
	go h.run(cmd, answers)
	return h, nil
}

// run passes on the helper's answers until its output ends or has a line that is too long, and then kills it.
func (h *Helper) run(cmd *exec.Cmd, answers io.Reader) {
	for lines := bufio.NewScanner(answers); lines.Scan(); { // a line of 64 KiB ends the loop
		h.handOver(lines.Text())
	}
	h.kill() // harmless if it has exited: its pid is not used again before Wait
	err := finish(cmd)
	h.to.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = cmp.Or(h.err, err)
	for _, answers := range h.waiting {
		close(answers)
	}
}

// kill kills the helper, and notes that End must not do so any more.
func (h *Helper) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	Kill(h.Pid)
	h.killed = true
}

func (h *Helper) handOver(line string) {
	number, words, _ := strings.Cut(line, "\t")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready = true
	select {
	case h.waiting[number] <- words:
	default: // an unknown request, or one answer too many
	}
	if strings.Contains(words, "\t") {
		delete(h.waiting, number)
	}
}

// Ask sends a request that has two answers. The channel receives them, and is closed if the helper exits first.
func (h *Helper) Ask(words ...string) (<-chan string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	number, answers := strconv.Itoa(h.asked), make(chan string, 2)
	_ = h.to.SetWriteDeadline(time.Now().Add(time.Second)) // fails only on a closed pipe; then writing fails, too
	if _, err := h.to.WriteString(number + "\t" + strings.Join(words, "\t") + "\n"); err != nil {
		return nil, err
	}
	h.waiting[number] = answers
	return answers, nil
}

// Ready reports whether the helper has written a line yet.
func (h *Helper) Ready() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready
}

// Close lets the helper exit after it has answered.
func (h *Helper) Close() { h.to.Close() }

// End returns the reason why the helper ended. If why is not nil, End kills the helper first. The result is ErrEnded if
// the helper was ever ready. Otherwise it is the error with which the helper exited, which is like one from Run. If
// there is no such error, the result is why, which may be nil.
func (h *Helper) End(why error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if why != nil && !h.killed {
		Kill(h.Pid)
	}
	if h.err = cmp.Or(h.err, why); h.ready {
		return ErrEnded
	}
	return h.err
}
