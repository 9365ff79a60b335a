package mail

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
)

// fakeSendmail is a mail program made of these lines of shell.
func fakeSendmail(t *testing.T, script string) [][]string {
	path := filepath.Join(t.TempDir(), "sendmail")
	testkit.OK(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	return [][]string{{path + ".absent", "-x"}, {path, "-t"}}
}

func TestTheFirstMailProgramGetsTheMailOnStandardInput(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	l := newLetter(Rule{To: "root, admin@example.net"}, notify.Event{Status: lvs.StatusRunning},
		"Added real server: …")
	programs := append(fakeSendmail(t, fmt.Sprintf("echo \"$@\" >%s; cat >>%[1]s", out)), []string{"/bin/false"})
	again, err := sendmail(t.Context(), programs, l)
	if again != nil || err != nil {
		t.Fatalf("again %v, error %v", again, err)
	}
	got, _ := os.ReadFile(out)
	testkit.Equal(t, string(got), "-t\n"+l.text(), "the program got")
	if !strings.HasPrefix(l.text(), "To: root, admin@example.net\n") {
		t.Errorf("the mail is %q, want one without our From line", l.text())
	}
}

func TestSendmailIsTriedAgainUnlessItRejectsTheMail(t *testing.T) {
	const later = "; again [a@example.net]"
	for script, want := range map[string]string{
		"exit 1":                               "exit status 1" + later,
		"echo no user; exit 67":                `exit status 67: "no user"; again []`,
		"exit 69":                              "exit status 69" + later,
		"echo; echo ' no queue ' >&2; exit 75": `exit status 75: "no queue"` + later,
		"exit 127":                             "exit status 127" + later,
	} {
		programs := fakeSendmail(t, script)
		again, err := sendmail(t.Context(), programs, testLetter("a@example.net"))
		testkit.Equal(t, fmt.Sprintf("%v; again %v", err, again), programs[1][0]+": "+want, script)
	}
}

func TestASendmailThatHangsIsKilledWithItsChildren(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	testkit.OK(t, syscall.Mkfifo(pids, 0o600))
	programs := fakeSendmail(t, fmt.Sprintf("sleep 300 & echo $! >%s; sleep 300", pids))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	child := -1
	var started sync.WaitGroup
	started.Go(func() {
		defer cancel()
		text, unread := os.ReadFile(pids)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		var err error
		if child, err = unix.PidfdOpen(pid, 0); unread != nil || err != nil {
			t.Errorf("the child %q: %v, %v", text, unread, err)
		}
	})
	again, err := sendmail(ctx, programs, testLetter("a@example.net"))
	if err == nil || len(again) != 1 {
		t.Errorf("again %q, error %v", again, err)
	}
	started.Wait()
	defer unix.Close(child)
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(child), Events: unix.POLLIN}}, 10_000); n != 1 {
		t.Errorf("the child is still running: %v", err)
	}
}

func TestWithoutAMailProgramThereIsAnError(t *testing.T) {
	again, err := sendmail(t.Context(), [][]string{{"/nonexistent/sendmail"}}, testLetter("a@example.net"))
	if len(again) != 1 || err == nil || !strings.Contains(err.Error(), "/nonexistent/sendmail") {
		t.Errorf("again %q, error %v", again, err)
	}
}
