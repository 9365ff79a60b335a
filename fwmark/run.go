package fwmark

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ldirectord/printable"
)

// A program has patience to end, and may print no more than mostOutput: ten thousand rules are 1 MB.
const (
	patience   = 10 * time.Second
	mostOutput = 16 << 20
	mostError  = 1 << 10
)

var (
	errMissing = errors.New("not installed")
	errNoEnd   = fmt.Errorf("no end within %v", patience)
)

// find is the path of a program; a daemon's search path often lacks the directories of the administrator.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", program, errMissing)
}

// run is what a program prints. Its error has what the program complained of.
func run(ctx context.Context, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errNoEnd)
	defer cancel()
	out, complaint := capped{most: mostOutput}, capped{most: mostError}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil && len(complaint.text) > 0:
		err = errors.New(oneLine(string(complaint.text)))
	case err == nil && out.cut:
		err = fmt.Errorf("printed more than %d MB", mostOutput>>20)
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", filepath.Base(path), strings.Join(args, " "), err)
	}
	return string(out.text), nil
}

// capped keeps the beginning of what is written to it.
type capped struct {
	text []byte
	most int
	cut  bool
}

func (c *capped) Write(p []byte) (int, error) {
	room := min(len(p), c.most-len(c.text))
	c.text = append(c.text, p[:room]...)
	c.cut = c.cut || room < len(p)
	return len(p), nil
}

// oneLine is a program's complaint for a message: its lines joined, the cap heeded, control characters out.
func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' }), "; ")
	return printable.Text(text[:min(len(text), mostError)])
}
