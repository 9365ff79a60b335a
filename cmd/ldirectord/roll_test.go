package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"testing"

	"ldirectord/checker/icmp"
	"ldirectord/internal/daemon"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/printable"
	"ldirectord/internal/testkit"
)

// servesPages is a web server process: each page of its folder is a program.
func servesPages() {
	folder := os.Args[2]
	err := http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := cgi.Handler{Path: filepath.Join(folder, filepath.Base(r.URL.Path)), Dir: folder}
		page.ServeHTTP(w, r)
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// acceptsAll is a server process. It prints each connection that it accepts, and closes none.
func acceptsAll() {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	kept := map[net.Conn]bool{}
	for fmt.Println("listens"); ; fmt.Println("accepted") {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		kept[c] = true
	}
}

// The file of --state is kept by one roll at a time, over each writing, and goes with the last server.
func TestTheStateOfARoll(t *testing.T) {
	path, words := filepath.Join(t.TempDir(), "state"), []string{"ld.cf", "tag:app", "--", "deploy"}
	testkit.Write(t, path, "") // as by mktemp
	first := testkit.Must(openRoll(path, words))(t)
	testkit.FailsWith(t, testkit.Error(openRoll(path, words)), "another roll is using the file")
	testkit.OK(t, first.begin("a"))
	testkit.FailsWith(t, testkit.Error(openRoll(path, words)), "another roll is using the file")
	first.Done = []string{"a"}
	testkit.OK(t, first.begin("c"))
	first.close()

	second := testkit.Must(openRoll(path, words))(t)
	left, done := second.left([]string{"new", "a", "b", "c"})
	testkit.Same(t, left, []string{"c", "new", "b"})
	testkit.Same(t, done, []string{"a"})
	testkit.OK(t, second.end())
	second.close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error(err)
	}
}

// Without --state a roll keeps nothing.
func TestARollWithoutAState(t *testing.T) {
	s := testkit.Must(openRoll("", []string{"ld.cf"}))(t)
	defer s.close()
	testkit.OK(t, s.begin("a"))
	left, done := s.left([]string{"a", "b"})
	testkit.Same(t, left, []string{"a", "b"})
	testkit.Equal(t, len(done), 0)
	testkit.OK(t, s.end())
}

// What is no state of this roll is refused, and stays as it is.
func TestAFileThatIsNoStateOfThisRoll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for text, want := range map[string]string{
		"virtual = 10.1.0.1:80\n": "was not written by roll", "{}": "was not written by roll",
		"null": "was not written by roll",
		`{"words": ["ld.cf", "a", "--", "deploy", "v1"]}`: `belongs to another roll, "ld.cf a -- deploy v1"`,
	} {
		testkit.Write(t, path, text)
		testkit.FailsWith(t, testkit.Error(openRoll(path, []string{"ld.cf", "a", "--", "deploy", "v2"})), want)
		testkit.Equal(t, testkit.Read(t, path), text)
	}
	link := path + "-link"
	testkit.OK(t, os.Symlink(path, link))
	testkit.FailsWith(t, testkit.Error(openRoll(link, nil)), "opening the state of the roll")
	testkit.FailsWith(t, testkit.Error(openRoll(t.TempDir(), nil)), "opening the state of the roll")
}

// An order of roll that no daemon took is a failure. After a signal it is not even recorded.
func TestAnOrderOfARollWithoutADaemon(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ld.cf")
	testkit.Write(t, path, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n"+
		"\treal = 10.2.0.3:80 gate\n")
	raw := bufio.NewWriter(io.Discard)
	c := &call{options: options{path: path, RunDir: dir, IPVS: "memory", verb: "roll"},
		output: output{out: printable.Writer{To: raw}, raw: raw, stdout: io.Discard, stderr: io.Discard},
		env:    daemon.NewEnvironment(icmp.NewPinger())}
	defer c.env.Close()
	var end context.CancelFunc
	c.ctx, end = context.WithCancel(t.Context())
	err := c.give([]string{"10.2.0.1"}, orders.Drain)
	testkit.FailsWith(t, err, "recorded; no daemon is running")
	testkit.Equal(t, statusFor(err), exitFailure)
	end()
	testkit.FailsWith(t, c.give([]string{"10.2.0.2"}, orders.Drain), "canceled")
	all := testkit.Must(orders.File(c.instance().Files().Drain).Current())(t)
	testkit.Same(t, all.Sorted(), []lvs.Backend{lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80")})
	testkit.Equal(t, rolling{call: c, server: []string{"10.2.0.2"}}.isDrained(), true, "without a daemon it may be")
}
