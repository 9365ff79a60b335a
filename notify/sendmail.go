package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// mailPrograms are the local ways to send a mail, in the order in which Mail::Mailer, which the
// reference uses, looks for them.
var mailPrograms = [...][]string{
	{"/usr/sbin/sendmail", "-t"},
	{"/usr/lib/sendmail", "-t"},
	{"/usr/ucblib/sendmail", "-t"},
	{"/usr/sbin/qmail-inject"},
	{"/var/qmail/bin/qmail-inject"},
}

// Limits of one run of a mail program.
const (
	sendmailTime    = 2 * time.Minute
	sendmailEndTime = time.Second // for what it started to close its output, after it was killed
)

// sendmail hands a letter to the first program there is. Only an error in the mail itself is final.
func sendmail(ctx context.Context, programs [][]string, l *letter) (again []string, err error) {
	i := slices.IndexFunc(programs, func(argv []string) bool {
		_, err := exec.LookPath(argv[0])
		return err == nil
	})
	if i < 0 {
		return l.to, fmt.Errorf("no mail program: %s does not exist", programs[0][0])
	}
	err = runMailer(ctx, programs[i], l.text())
	if err == nil || blamesMail(err) {
		return nil, err
	}
	return l.to, err
}

// blamesMail tells whether a program found fault with the mail itself.
func blamesMail(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	switch exit.ExitCode() {
	case 64, 65, 67, 68: // of sysexits.h: usage, data, no user, no host
		return true
	}
	return false
}

// runMailer runs a mail program in a process group of its own, which ends at the deadline.
func runMailer(ctx context.Context, argv []string, text string) error {
	ctx, cancel := context.WithTimeout(ctx, sendmailTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	out := &tail{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = sendmailEndTime
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() == context.DeadlineExceeded:
		return fmt.Errorf("%s: no end in %v", argv[0], sendmailTime)
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // it ended well; something it left behind holds its output
	}
	said := strings.TrimSpace(string(bytes.ToValidUTF8(out.kept, nil)))
	return fmt.Errorf("%s: %w: %q", argv[0], err, said)
}
