package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The next checks of the running daemon, as a real process shows them.
func TestTraceShowsTheDaemonsChecks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root alone may trace")
	}
	server := httptest.NewServer(http.HandlerFunc(starting))
	defer server.Close()
	dir, real := t.TempDir(), server.Listener.Addr().String()
	config := filepath.Join(dir, "www.cf")
	text := "checkinterval = 1\nlogfile = \"" + filepath.Join(dir, "log") + "\"\nvirtual = 192.0.2.10:80\n\treal = " + real + " masq\n\tservice = http\n\trequest = \"health\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	call := func(status int, args ...string) string {
		t.Helper()
		c := exec.Command(program(t), append([]string{"--ipvs", "memory", "--rundir", dir, config}, args...)...)
		out, err := c.CombinedOutput()
		if got := c.ProcessState.ExitCode(); got != status {
			t.Errorf("%v: exit status %d, want %d: %v\n%s", args, got, status, err, out)
		}
		return string(out)
	}
	call(1, "trace", "192.0.2.10:80", real)
	call(0, "start")
	defer call(0, "stop")
	var out string
	within(t, "three checks in a trace", func() bool { // a busy machine makes fewer
		out = call(0, "trace", "192.0.2.10:80", real, "--for", "3500ms")
		return strings.Count(out, "    up: 200 OK\n") >= 3
	})
	title := fmt.Sprintf("checks of %s of tcp:192.0.2.10:80 for 3500ms\n", real)
	if n := strings.Count(out, "\n          "); !strings.HasPrefix(out, title) || strings.Count(out, "  > GET /health HTTP/1.1\n") < 3 || n < 6 {
		t.Error(out)
	}
	if out := call(1, "trace", "192.0.2.10:80", "192.0.2.99"); !strings.Contains(out, "there is no server 192.0.2.99 of 192.0.2.10:80") {
		t.Error(out)
	}
	for _, long := range []string{"ever", "25h", "0s", "60"} {
		if out := call(1, "trace", "192.0.2.10:80", real, "--for", long); !strings.Contains(out, fmt.Sprintf("%q is not a time for a trace", long)) {
			t.Error(out)
		}
	}
	if out := call(0, "trace", real, "--for", "100ms"); !strings.HasPrefix(out, strings.Replace(title, "3500ms", "100ms", 1)) {
		t.Error(out)
	}
	if out := call(1, "trace", "192.0.2.99"); !strings.Contains(out, "there is no server 192.0.2.99\n") {
		t.Error(out)
	}
	call(exitUsage, "trace")
}
