package fwmark

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ldirectord/internal/printable"
	"ldirectord/internal/subprocess"
)

// A program must exit within patience, and may print at most maxOutput bytes. Ten thousand rules take 1 MB. Of what it
// prints to standard error, maxError bytes are kept.
const (
	patience  = 10 * time.Second
	maxOutput = 16 << 20
	maxError  = 1 << 10
)

// run runs a program and returns its output. The error contains the text that the program wrote to its standard error.
func run(ctx context.Context, path string, args ...string) (string, error) {
	out := &subprocess.Output{Max: maxOutput}
	complaint := &subprocess.Output{Max: maxError}
	err := subprocess.Run(ctx, subprocess.Command{
		Argv: append([]string{path}, args...), Limit: patience, Stdout: out, Stderr: complaint,
	})
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && len(complaint.Text) > 0:
		err = errors.New(oneLine(string(complaint.Text)))
	case err == nil && out.Cut:
		err = fmt.Errorf("printed more than %d MB", maxOutput>>20)
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", filepath.Base(path), strings.Join(args, " "), err)
	}
	return string(out.Text), nil
}

// oneLine formats a program's error text for a message: it joins the lines, and cuts the text to maxError bytes.
func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' }), "; ")
	start, _ := printable.Cut(text, maxError)
	return start
}
