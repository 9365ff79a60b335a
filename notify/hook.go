package notify

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	hookTime   = time.Minute // how long a command may run before its process group is killed
	hookOutput = 4096        // bytes of its output that are kept
)

// Hooks runs the operator's commands (fallbackcommand, callback) off everybody's path: for one key one
// at a time, and when changes come faster than commands end, the latest one only.
type Hooks struct {
	journal *Journal
	ctx     context.Context
	cancel  context.CancelFunc
	wait    sync.WaitGroup

	mu   sync.Mutex // guards what follows
	next map[string][]string
	busy map[string]bool
}

// NewHooks returns a runner whose failures go into the journal. Close ends it.
func NewHooks(j *Journal) *Hooks {
	ctx, cancel := context.WithCancel(context.Background())
	return &Hooks{journal: j, ctx: ctx, cancel: cancel, next: map[string][]string{}, busy: map[string]bool{}}
}

// Shell runs a command line through sh, as the reference does with fallbackcommand.
func (h *Hooks) Shell(key, line string) { h.Exec(key, "/bin/sh", "-c", line) }

// Exec runs a program with its arguments.
func (h *Hooks) Exec(key string, argv ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next[key] = argv
	if h.busy[key] {
		return
	}
	h.busy[key] = true
	h.wait.Go(func() { h.work(key) })
}

// Close waits for the commands that still run, and kills them when ctx is done.
func (h *Hooks) Close(ctx context.Context) {
	done := make(chan struct{})
	go func() { h.wait.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	h.cancel()
	<-done
}

func (h *Hooks) work(key string) {
	for {
		h.mu.Lock()
		argv, any := h.next[key]
		delete(h.next, key)
		if !any {
			h.busy[key] = false
			h.mu.Unlock()
			return
		}
		h.mu.Unlock()
		if err := h.run(argv); err != nil {
			h.journal.Emit(Event{Kind: HookFailed, Virtual: key, Reason: err.Error(),
				Text: fmt.Sprintf("Command failed: %s: %v", argv[len(argv)-1], err)})
		}
	}
}

func (h *Hooks) run(argv []string) error {
	ctx, cancel := context.WithTimeout(h.ctx, hookTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	out := &tail{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if ctx.Err() == context.DeadlineExceeded {
		err = fmt.Errorf("ended after %v", hookTime)
	}
	if err == nil {
		return nil
	}
	if said := strings.TrimSpace(string(bytes.ToValidUTF8(out.kept, nil))); said != "" {
		return fmt.Errorf("%w: %q", err, said)
	}
	return err
}

// tail keeps the last bytes of a command's output.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - hookOutput; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}
