package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"
	"unicode/utf8"

	"ldirectord/internal/testkit"
)

// evil has characters that a terminal, a browser, a mail program or a log would interpret.
const evil = "\x1b]0;evil\a\x1b[2J\u009b31m\u202egnp\u2028\u0085\x9b\xff\x00\b" +
	"\"'</script><script>alert(1)</script><!--\tBcc: evil {{.}} $(reboot)"

// hostile is a server that sends the first text to each client, and the second one after each line.
func hostile(t *testing.T, first, then string) string {
	t.Helper()
	l := testkit.Listen(t)
	testkit.Serve(t, l, func(c net.Conn) {
		io.WriteString(c, first)
		for lines := bufio.NewScanner(c); lines.Scan(); io.WriteString(c, then) {
		}
	})
	return l.Addr().String()
}

// mailbox is an SMTP server that passes on each line that it receives.
func mailbox(c net.Conn, received chan<- string) {
	io.WriteString(c, "220 x\r\n")
	data := false
	for lines := bufio.NewScanner(c); lines.Scan(); {
		line := lines.Text()
		received <- line
		switch {
		case data && line != ".":
		case line == "DATA":
			data = true
			io.WriteString(c, "354 x\r\n")
		default:
			data = false
			io.WriteString(c, "250 x\r\n")
		}
	}
}

// Whatever servers send, all output of the program is printable, and a browser runs nothing of it.
func TestWordsOfServersAreHarmlessEverywhere(t *testing.T) {
	posted, mailed := make(chan string, 1000), make(chan string, 10_000)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		posted <- string(text)
	}))
	defer hook.Close()
	mail, noMail := net.Listen("tcp4", "127.9.8.7:25")
	if noMail == nil {
		testkit.Serve(t, mail, func(c net.Conn) { mailbox(c, mailed) })
	}
	dir, listen := t.TempDir(), testkit.FreeAddr(t).String()
	script := filepath.Join(dir, "probe")
	testkit.Script(t, script, "#!/bin/sh\ncat <<'END'\n"+evil+"\nEND\nexit 3\n")
	config := fmt.Sprintf("listen = %s\nstatuspage = yes\nwebhook = %s/\nemailalert = me@example.com\n"+
		"emailalertdetail = yes\nsmtp = 127.9.8.7\ncheckinterval = 1\nchecktimeout = 1\nnegotiatetimeout = 1\n",
		listen, hook.URL)
	number := 0
	section := func(server, more string) {
		number++
		config += fmt.Sprintf("virtual = 10.1.0.1:%d\n\treal = %s masq\n"+
			"\tonchange = \"{ cat; } >>%s/changes; :\"\n%s", 7000+number, server, dir, more)
	}
	page := "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 150\r\n\r\n" + strings.Repeat(evil, 3)
	var turned atomic.Bool
	turning := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, map[bool]string{true: evil, false: "good"}[turned.Load()])
	}))
	defer turning.Close()
	section(turning.Listener.Addr().String(), "\tservice = http\n\trequest = \"/\"\n\treceive = \"good\"\n")
	section(hostile(t, "", "HTTP/1.1 500 "+evil+"\r\n\r\n"), "\tservice = http\n\trequest = \"/\"\n")
	section(hostile(t, "", page), "\tservice = http\n\trequest = \"/\"\n\treceive = \"good\"\n")
	section(hostile(t, "", "HTTP/1.1 302 "+evil+"\r\nLocation: ftp://x/"+evil+"\r\n\r\n"),
		"\tservice = http\n\trequest = \"/\"\n\treceive = \"good\"\n")
	for service, first := range map[string]string{"smtp": "500 ", "ftp": "530 ", "pop": "-ERR ", "imap": "* NO ",
		"nntp": "400 ", "redis": "-", "simpletcp": "", "grpc": "", "mysql": "", "pgsql": "", "ldap": "",
		"sip": "", "tls": ""} {
		section(hostile(t, first+evil+"\r\n", first+evil+"\r\n"), "\tservice = "+service+
			"\n\tlogin = \"u\"\n\tpasswd = \"passwd-1\"\n\trequest = \"SELECT 1\"\n\treceive = \"good\"\n")
	}
	section("127.0.0.1:9", "\tchecktype = external\n\tcheckcommand = \""+script+"\"\n")
	d := launched(t, "start", config)
	harmless := func(what, text string) {
		t.Helper()
		if len(text) < 20 {
			t.Errorf("%s says nothing: %q", what, text)
		}
		for i, r := range text {
			if r != '\n' && !unicode.IsPrint(r) || r == utf8.RuneError {
				t.Fatalf("%s: %U at …%q", what, r, text[max(0, i-80):min(len(text), i+20)])
			}
		}
	}
	unhurt := func(what, html string) {
		t.Helper()
		if harmless(what, strings.ReplaceAll(html, "\t", "")); strings.Contains(html, "<script>alert") ||
			strings.Contains(html, "<!--") {
			t.Errorf("%s: %s", what, html)
		}
	}
	shows := func(want string) {
		t.Helper()
		var text string
		testkit.Until(t, awaitLimit, func() bool {
			_, text = testkit.Fetch(t, "http://"+listen+"/")
			return strings.Contains(text, want)
		}, "no", want, func() string { return text })
	}
	shows(`data-is="1 of 1 up"`)
	turned.Store(true) // a mail reports servers that were up
	shows(fmt.Sprintf(`<b>%d</b> <span class="is">down<`, number))
	for _, words := range []string{"status", "status -v", "status --json", "probe", "probe -v", "why SERVER",
		"plan", "check"} {
		for _, v := range d.report().Virtuals[:6] {
			args := strings.Fields(strings.ReplaceAll(words, "SERVER", v.ID+" "+v.Servers[0].Real))
			// any exit status
			said, _ := d.say(args...)
			harmless(strings.Join(args, " "), said)
			if !strings.Contains(words, "SERVER") {
				break
			}
		}
	}
	if os.Geteuid() == 0 {
		second := d.report().Virtuals[1]
		within(t, "why -v with a check in it", func() bool {
			said, err := exec.Command(program(t),
				append(d.args, "why", second.ID, second.Servers[0].Real, "-v")...).Output()
			if harmless("why -v", string(said)); err != nil {
				t.Fatalf("why -v: %v: %s", err, said)
			}
			_, said, _ = bytes.Cut(said, []byte("last failed conversation of"))
			return strings.Contains(string(said), `\x1b]0;evil`)
		})
	}
	for _, path := range []string{"status.json", "metrics"} {
		_, text := testkit.Fetch(t, "http://"+listen+"/"+path)
		harmless(path, text)
	}
	_, text := testkit.Fetch(t, "http://"+listen+"/")
	unhurt("the page", text)
	for _, v := range d.report().Virtuals {
		at := "virtual=" + v.ID + "&real=" + v.Servers[0].Real
		_, text := testkit.Fetch(t, "http://"+listen+"/why.json?"+at)
		harmless("why.json of "+v.ID, text)
		_, text = testkit.Fetch(t, "http://"+listen+"/?"+at)
		unhurt("the page of "+v.ID, text)
	}
	d.tell("stop")
	for what, file := range map[string]string{"the log": d.dir + "/log", "onchange": dir + "/changes"} {
		text := testkit.Read(t, file)
		harmless(what, text)
	}
	if noMail == nil {
		mails := ""
		for n := len(mailed); n > 0; n-- {
			mails += <-mailed + "\n"
		}
		harmless("the mail", mails)
		testkit.Contains(t, mails, "more: ldirectord --ipvs memory --rundir "+d.dir+" "+d.path("ld.cf")+" why ")
	}
	if len(posted) == 0 {
		t.Error("nothing was posted")
	}
	for n := len(posted); n > 0; n-- {
		harmless("the webhook", <-posted)
	}
	d.tell("start") // the daemon must run for the cleanup of the test
}

// A library that writes to Go's own log, as HTTP/2 does of a server that breaks its rules, would write amid our lines.
func TestLibrariesPrintNothing(t *testing.T) {
	const ping = "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678" // before SETTINGS
	server, config := hostile(t, ping, ping), filepath.Join(t.TempDir(), "grpc.cf")
	testkit.Write(t, config, "virtual = 192.0.2.10:80\n\treal = "+server+" masq\n\tservice = grpc\n")
	probe := exec.Command(program(t), "--ipvs", "memory", "--rundir", t.TempDir(), config, "probe")
	if got, _ := probe.CombinedOutput(); !strings.Contains(string(got), "down") ||
		strings.Contains(string(got), "http2PingFrame") {
		t.Errorf("%s", got)
	}
}
