package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ldirectord/internal/testkit"
)

// While a check is down, why -v and why --json show the last failed conversation, without secrets, and only to root.
func TestWhyHasTheLastFailedConversation(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root alone may read it")
	}
	server := httptest.NewServer(http.HandlerFunc(starting))
	defer server.Close()
	dir, real := t.TempDir(), server.Listener.Addr().String()
	testkit.OK(t, os.Chmod(filepath.Dir(dir), 0o755))
	config := filepath.Join(dir, "www.cf")
	text := "checkinterval = 1\nstatusgroup = 65534\nlogfile = \"" + filepath.Join(dir, "log") +
		"\"\nvirtual = 192.0.2.10:80\n\treal = " + real + " masq\n" +
		"\treal = 127.0.0.2:9 masq\n\tservice = http\n\trequest = \"health\"\n\treceive = \"ready\"\n" +
		"\thttpheader = \"X-Token: verysecret\"\n"
	testkit.OK(t, os.WriteFile(config, []byte(text), 0o644))
	call := func(uid uint32, args ...string) string {
		t.Helper()
		c := exec.Command("/proc/self/exe")
		c.Args = append([]string{"ldirectord", "--ipvs", "memory", "--rundir", dir, config}, args...)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	call(0, "start")
	defer call(0, "stop")
	var out string
	within(t, "a conversation", func() bool {
		out = call(0, "why", real, "-v")
		return strings.Contains(out, "  last failed conversation of http, at ")
	})
	for _, want := range []string{"  > GET /health HTTP/1.1\n", "  > X-Token: …\n", "  < starting up\n",
		"down: body does not match /ready/"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := call(0, "why", real); strings.Contains(out, "conversation of") {
		t.Errorf("without -v:\n%s", out)
	}
	if out := call(0, "why", real, "--json"); !strings.Contains(out, `"conversations": [`) ||
		strings.Contains(out, "verysecret") {
		t.Errorf("as JSON:\n%s", out)
	}
	for _, option := range []string{"-v", "--json"} {
		if out := call(65534, "why", real, option); strings.Contains(out, "GET /health") ||
			!strings.Contains(out, "body does not match") {
			t.Errorf("for the group, %s:\n%s", option, out)
		}
	}
}
