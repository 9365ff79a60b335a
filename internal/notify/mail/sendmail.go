package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"

	"ldirectord/internal/subprocess"
)

// mailPrograms are the local programs for sending mail. The order is that of Mail::Mailer, which the Perl ldirectord
// uses.
var mailPrograms = [...][]string{
	{"/usr/sbin/sendmail", "-t"},
	{"/usr/lib/sendmail", "-t"},
	{"/usr/ucblib/sendmail", "-t"},
	{"/usr/sbin/qmail-inject"},
	{"/var/qmail/bin/qmail-inject"},
}

// Limits of one run of a mail program.
const (
	sendmailTime   = smtpSessionTime // no shorter: msmtp(1) waits for a server, which may take the mail late
	sendmailOutput = 4096            // bytes of the end of its output that are kept
)

// HasProgram reports whether one of the mail programs is installed.
func HasProgram() bool { return installed(mailPrograms[:]) >= 0 }

// installed returns the index of the first program that is installed, or -1 if none is.
func installed(programs [][]string) int {
	return slices.IndexFunc(programs, func(argv []string) bool {
		_, err := exec.LookPath(argv[0])
		return err == nil
	})
}

// sendmail hands a letter to the first installed program. Only an error in the mail itself is final.
func sendmail(ctx context.Context, programs [][]string, l *letter) (again []string, err error) {
	i := installed(programs)
	if i < 0 {
		return l.to, fmt.Errorf("no mail program: %s does not exist", programs[0][0])
	}
	argv, out := programs[i], &subprocess.Output{Max: sendmailOutput, Last: true}
	err = subprocess.Run(ctx,
		subprocess.Command{Argv: argv, Stdin: l.text(), Limit: sendmailTime, Stdout: out, Stderr: out})
	if err == nil {
		return nil, nil
	}
	exit, is := errors.AsType[*exec.ExitError](err)
	// sysexits.h: usage, data, no user, no host
	if !is || !slices.Contains([]int{64, 65, 67, 68}, exit.ExitCode()) {
		again = l.to
	}
	if output := bytes.TrimSpace(out.Text); len(output) > 0 {
		err = fmt.Errorf("%w: %q", err, output)
	}
	return again, fmt.Errorf("%s: %w", argv[0], err)
}
