package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// starting is the server of the example in docs/status.md.
func starting(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Date"] = nil
	w.Header()["Content-Type"] = nil
	w.Header().Set("Content-Length", "11")
	fmt.Fprint(w, "starting up")
}

// asExample replaces what differs from one run to the next: times, addresses, and blanks before a line.
func asExample(text string) string {
	text = regexp.MustCompile(`(?m)^.*: warning: .*\n`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`\d+\.\d ms`).ReplaceAllString(text, "T ms")
	text = regexp.MustCompile(`(127\.0\.0\.1|192\.0\.2\.22)(:\d+)?`).ReplaceAllString(text, "SERVER")
	return strings.TrimSpace(regexp.MustCompile(`(?m)^ +`).ReplaceAllString(text, ""))
}

func TestProbeShowsWhatIsSaidAsTheManualDoes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(starting))
	defer server.Close()
	config := filepath.Join(t.TempDir(), "www.cf")
	text := "virtual = 192.0.2.10:80\n\treal = " + server.Listener.Addr().String() +
		" masq\n\tservice = http\n\trequest = \"health\"\n\treceive = \"ready\"\n"
	testkit.Write(t, config, text)
	got := runProgram(t, 1, config, "probe", "192.0.2.10:80", server.Listener.Addr().String(), "-v")
	manual := testkit.Read(t, "../../docs/status.md")
	_, example, _ := strings.Cut(manual, "192.0.2.22:80 -v\n")
	example, _, _ = strings.Cut(example, "\n\n")
	testkit.Equal(t, asExample(got), asExample(example), "the example of the manual")
}

// runProgram runs the program and returns what it prints.
func runProgram(t *testing.T, status int, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	dir := t.TempDir()
	argv := append([]string{"ldirectord", "--ipvs", "memory", "--rundir", dir}, args...)
	testkit.Equal(t, runCommand(context.Background(), argv, &out, &out, configDirs), status, args, "exit status",
		out.String())
	return out.String()
}

// A server that redirects to another virtual service is asked at its own port there, by an address or a mark.
func TestProbeOfARedirectToAnotherPort(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	plain := httptest.NewServer(http.RedirectHandler("https://192.0.2.10/", http.StatusMovedPermanently))
	defer plain.Close()
	config := filepath.Join(t.TempDir(), "www.cf")
	for _, https := range []string{"virtual = 192.0.2.10:443\n", "virtual = 7\n\tmark = 192.0.2.10 tcp 443\n"} {
		testkit.Write(t, config, "virtual = 192.0.2.10:80\n\treal = "+plain.Listener.Addr().String()+
			" masq\n\tservice = http\n\thttpstatus = 404\n"+https+"\treal = "+
			secure.Listener.Addr().String()+" masq\n\tchecktype = on\n")
		testkit.Contains(t, runProgram(t, 0, config, "probe"), "404 Not Found", https)
	}
}
