package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"ldirectord/internal/runfile"
	"ldirectord/internal/subprocess"
)

const (
	hookTime   = time.Minute // how long a command may run before its process group is killed
	hookOutput = 4096        // bytes of the end of its output that are kept
	maxHooks   = 32          // how many fallbackcommands run at once, see turn
	firstRetry = time.Second // the first pause after a shortage kept a command from starting; then it doubles
	lastRetry  = time.Minute // the longest pause
	unused     = "Command is no longer used: "
)

// Hook is a single run of an operator's command.
type Hook struct {
	Lane    string // hooks in one lane run one after the other
	Key     string // a hook replaces the waiting one in its lane with the same key; "": all waiting ones
	Virtual string // the virtual service that the events of the hook name; "": none
	Command string // as configured; its next success in the lane ends its failure; "": Set ignores the hook
	Argv    []string
	Env     []string // in addition to the daemon's
	Stdin   []byte
	Ended   func() // called when it has exited or will not run; may be nil

	isUnused bool // the last Set did not contain its command
	isShort  bool // a shortage of this machine has kept it from starting
	paused   int  // how many pauses since then were not cut short
}

// Hooks runs commands outside the director's goroutine: the operator's (fallbackcommand, callback, onchange), and those
// that start, reload and stop the daemons of execute lines. A lane runs one command at a time, in the order in which
// they were queued. If changes happen faster than commands finish, only the latest command for each key runs.
type Hooks struct {
	journal *Journal
	tries   *Tries        // the goroutines of the lanes
	turns   chan struct{} // full while maxHooks fallbackcommands run

	mu      sync.Mutex        // guards what follows
	lanes   map[string]*lane  // those in which a hook runs
	failing map[string]string // the name of the last failed call, by id
}

// lane contains the running hook of a lane and the waiting ones.
type lane struct {
	runs  *Hook
	keys  []string         // of the waiting hooks, in their order
	waits map[string]*Hook // by key
	wake  Wake             // ends the pause before a hook is tried again
}

// NewHooks returns Hooks that report to the journal when a hook fails and when it works again. Close ends them.
func NewHooks(j *Journal) *Hooks {
	return &Hooks{journal: j, tries: NewTries(), turns: make(chan struct{}, maxHooks), lanes: map[string]*lane{},
		failing: map[string]string{}}
}

// Set tells h which hooks the configuration now contains. It reports the failures of all other hooks as ended. If one
// of those is still running or waiting, and fails later, that failure is reported and ended at once.
func (h *Hooks) Set(hooks []Hook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	used := map[string]bool{}
	for _, hook := range hooks {
		used[hook.id()] = true
	}
	for _, l := range h.lanes {
		for _, hook := range slices.AppendSeq([]*Hook{l.runs}, maps.Values(l.waits)) {
			hook.isUnused = hook.Command != "" && !used[hook.id()]
		}
	}
	for id, name := range h.failing {
		if !used[id] && !strings.HasSuffix(id, "\n") {
			h.over(Event{Key: id, Text: unused + name})
		}
	}
}

// Shell returns the arguments that run a line in sh. The Perl ldirectord runs a fallbackcommand in this way.
func Shell(line string) []string { return []string{"/bin/sh", "-c", line} }

// Run queues a hook. Its command runs once the commands before it in its lane have exited, unless a later hook replaces
// it, see Hook.Key. If a hook without Ended replaces a waiting one and repeats the running one, neither it nor the
// waiting one runs.
func (h *Hooks) Run(hook Hook) {
	isAwaited := hook.Ended != nil
	if !isAwaited {
		hook.Ended = func() {}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.lanes[hook.Lane]
	if l == nil {
		l = &lane{runs: &hook, waits: map[string]*Hook{}, wake: NewWake()}
		h.lanes[hook.Lane] = l
		h.tries.Go(func() { h.work(l, &hook) })
		return
	}
	l.wake.Up()
	if hook.Key == "" {
		l.dropKeyed()
	}
	before, waits := l.waits[hook.Key]
	l.waits[hook.Key] = &hook
	if !waits {
		l.keys = append(l.keys, hook.Key)
		return
	}
	before.Ended()
	if !isAwaited && hook.repeats(l.runs) { // such as a start after a stop that did not run
		delete(l.waits, hook.Key)
		l.keys = slices.DeleteFunc(l.keys, func(key string) bool { return key == hook.Key })
	}
}

// dropKeyed drops the waiting hooks that have a key.
func (l *lane) dropKeyed() {
	l.keys = slices.DeleteFunc(l.keys, func(key string) bool { return key != "" })
	maps.DeleteFunc(l.waits, func(key string, hook *Hook) bool {
		if key != "" {
			hook.Ended()
		}
		return key != ""
	})
}

// repeats reports whether the hook does the same as another.
func (h *Hook) repeats(other *Hook) bool {
	return h.Key == other.Key && slices.Equal(h.Argv, other.Argv) && slices.Equal(h.Env, other.Env) &&
		bytes.Equal(h.Stdin, other.Stdin)
}

// Close waits until all running and waiting commands have finished. It kills them when ctx is done.
func (h *Hooks) Close(ctx context.Context) { h.tries.End(ctx) }

// work runs the first hook of a lane and those after it.
func (h *Hooks) work(l *lane, hook *Hook) {
	for ; hook != nil; hook = h.next(hook.Lane) {
		for h.try(hook) && h.retries(l, hook) {
		}
		hook.Ended()
	}
}

// try runs a hook. It reports whether a shortage of this machine kept the command from starting. Only the first such
// failure of a hook is an event.
func (h *Hooks) try(hook *Hook) (short bool) {
	end := func() {}
	if hook.Lane == hook.Virtual { // a fallbackcommand: there may be one for each of thousands of virtual services
		end = h.turn()
	}
	out := &subprocess.Output{Max: hookOutput, Last: true}
	err := subprocess.Run(h.tries.Context, subprocess.Command{Argv: hook.Argv, Env: hook.Env,
		Stdin: string(hook.Stdin), Limit: hookTime, Stdout: out, Stderr: out})
	end()
	short = runfile.IsShort(err) || errors.Is(err, syscall.EAGAIN) // EAGAIN: too many processes
	if short && hook.isShort {
		return true
	}
	hook.isShort = short
	output := strings.TrimSpace(string(out.Text))
	e := Event{Kind: HookOutput, Virtual: hook.Virtual, Reason: output, Text: "Command said: " + hook.name()}
	if err != nil {
		e.Kind, e.Reason, e.Text = HookFailed, err.Error(),
			fmt.Sprintf("Command failed: %s: %v", hook.name(), err)
	}
	if output != "" {
		e.Text += fmt.Sprintf(": %q", output)
	}
	h.settle(hook, e)
	return short
}

// retries reports, after a pause, whether a hook is still to be run: it is used, no newer hook replaces it (see
// Hook.Key), and the daemon does not end. A hook that is new in the lane ends the pause, which then does not count.
func (h *Hooks) retries(l *lane, hook *Hook) bool {
	begun, pause := time.Now(), Backoff(hook.paused+1, firstRetry, lastRetry)
	goesOn := h.tries.Pause(pause, l.wake)
	if time.Since(begun) >= pause {
		hook.paused++
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	isReplaced := l.waits[hook.Key] != nil || l.waits[""] != nil
	if goesOn && !isReplaced && !hook.isUnused {
		return true
	}
	l.runs = &Hook{} // the hook never ran, so an equal one is not a repetition
	return false
}

// turn waits until fewer than maxHooks fallbackcommands run, so that they do not use up the processes. It waits no
// longer than one command may take. The result ends the turn.
func (h *Hooks) turn() (end func()) {
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }
	case <-time.After(hookTime):
	case <-h.tries.Context.Done():
	}
	return func() {}
}

// settle reports the output of a hook, its failure, or the end of an earlier failure.
func (h *Hooks) settle(hook *Hook, e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.Key = hook.id()
	if e.Kind == HookFailed || e.Reason != "" {
		h.journal.Emit(e)
	}
	end := Event{Key: e.Key, Virtual: hook.Virtual, Text: "Command succeeds again: " + hook.name()}
	switch {
	case e.Kind == HookFailed && hook.isUnused:
		end.Text = unused + hook.name()
		h.over(end)
	case e.Kind == HookFailed:
		h.failing[e.Key] = hook.name()
	case h.failing[e.Key] != "":
		h.over(end)
	}
}

// over reports the end of a failure.
func (h *Hooks) over(e Event) {
	delete(h.failing, e.Key)
	e.Kind = HookRecovered
	h.journal.Emit(e)
}

// next drops the hook that has run, and returns the next hook in that lane, or nil if there is none.
func (h *Hooks) next(of string) *Hook {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.lanes[of]
	if len(l.keys) == 0 {
		delete(h.lanes, of)
		return nil
	}
	key := l.keys[0]
	l.runs, l.keys = l.waits[key], l.keys[1:]
	delete(l.waits, key)
	return l.runs
}

// id identifies the command: if one call fails, the next successful call with the same id ends the failure.
func (h *Hook) id() string { return h.Lane + "\n" + h.Command }

// name returns the command line for messages, without the shell that runs it.
func (h *Hook) name() string {
	if len(h.Argv) == 3 && h.Argv[1] == "-c" {
		return h.Argv[2]
	}
	return strings.Join(h.Argv, " ")
}
