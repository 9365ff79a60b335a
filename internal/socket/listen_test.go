package socket

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// inFolder is the path of a control socket in a folder of its own.
func inFolder(t *testing.T) Socket {
	return Socket(filepath.Join(t.TempDir(), "a.sock"))
}

// listening opens a control socket with these routes.
func listening(t *testing.T, s Socket, routes http.Handler) *Server {
	t.Helper()
	c := testkit.Must(Listen(t.Context(), string(s), routes))(t)
	t.Cleanup(func() { c.Close() })
	return c
}

func hello() *http.ServeMux {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello")) })
	return routes
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info := testkit.Must(os.Lstat(path))(t)
	return info.Mode()
}

func TestTheControlSocketIsForItsOwnerOrOneGroup(t *testing.T) {
	s := inFolder(t)
	c := listening(t, s, hello())
	testkit.Equal(t, modeOf(t, c.path), fs.ModeSocket|0o600, "mode")
	if err := c.Allow("0"); err != nil && os.Getuid() == 0 {
		t.Error(err)
	}
	if mode := modeOf(t, c.path); os.Getuid() == 0 && mode != fs.ModeSocket|0o660 {
		t.Errorf("mode with a group %v", mode)
	}
	testkit.FailsWith(t, c.Allow("no-such-group"), "the group no-such-group is not in /etc/group", "unknown group")
	testkit.Equal(t, modeOf(t, c.path), fs.ModeSocket|0o600, "mode with an unknown group")
}

func TestAStaleSocketIsReplacedAndNothingElse(t *testing.T) {
	s := inFolder(t)
	first := testkit.Must(Listen(t.Context(), string(s), hello()))(t)
	first.server.Close() // the socket's file is left, as after a crash
	modeOf(t, string(s))
	listening(t, s, hello())
	testkit.Equal(t, asked(t, s, "/hello"), "hello", "after a crash")
	for _, name := range []string{"file", "link"} {
		t.Run(name, func(t *testing.T) {
			s := inFolder(t)
			victim := filepath.Join(t.TempDir(), "victim")
			testkit.Write(t, victim, "kept")
			put := map[string]func(string, string) error{"file": os.Link, "link": os.Symlink}[name]
			testkit.OK(t, put(victim, string(s)))
			testkit.FailsWith(t, testkit.Error(Listen(t.Context(), string(s), hello())), "is not a socket",
				"listening")
			testkit.Equal(t, testkit.Read(t, string(s)), "kept")
		})
	}
}

func TestAFolderThatCantBeWrittenIsAnError(t *testing.T) {
	s := Socket(filepath.Join(t.TempDir(), strings.Repeat("x", maxPath)))
	testkit.FailsWith(t, testkit.Error(Listen(t.Context(), string(s), hello())),
		"name another folder with --rundir", "a long path")
	s = Socket(filepath.Join(t.TempDir(), "missing", "s"))
	testkit.FailsWith(t, testkit.Error(Listen(t.Context(), string(s), hello())), "making the control socket",
		"listening")
}

func TestRequestsAreLimited(t *testing.T) {
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	for request, want := range map[string]string{
		"POST / HTTP/1.1\r\nContent-Length: 3\r\nHost: x\r\n\r\nabc": "200",
		fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", 2*maxBody,
			strings.Repeat("x", 2*maxBody)): "400",
		"POST /?via=" + strings.Repeat("x", 60<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n":          "200",
		"GET / HTTP/1.1\r\nHost: x\r\nLong: " + strings.Repeat("x", 4*maxHeader) + "\r\n\r\n": "431",
	} {
		c := testkit.Must(net.Dial("unix", string(s)))(t)
		defer c.Close()
		c.SetDeadline(time.Now().Add(awaitLimit))
		go io.WriteString(c, request)
		if line, _ := bufio.NewReader(c).ReadString('\n'); !strings.Contains(line, want) {
			t.Errorf("%.60q is answered by %q", request, line)
		}
	}
}

// A socket that could not be made is made later, for the group that may use it by now. What is in its way stays.
func TestAControlSocketIsMadeLater(t *testing.T) {
	s := inFolder(t)
	testkit.Write(t, string(s), "in the way")
	before := modeOf(t, string(s))
	c, err := Listen(t.Context(), string(s), hello())
	testkit.FailsWith(t, err, "exists and is not a socket", "listening")
	testkit.FailsWith(t, c.Allow("0"), "exists and is not a socket", "for a group")
	if isNew, err := c.Restore(t.Context()); isNew || err == nil || modeOf(t, string(s)) != before {
		t.Errorf("restored: %t, %v; the file has %v", isNew, err, modeOf(t, string(s)))
	}
	testkit.OK(t, os.Remove(string(s)))
	for _, want := range []bool{true, false} {
		if isNew, err := c.Restore(t.Context()); isNew != want || err != nil && os.Getuid() == 0 {
			t.Errorf("restored: %t, %v", isNew, err)
		}
	}
	t.Cleanup(func() { c.Close() })
	if mode := modeOf(t, c.path); os.Getuid() == 0 && mode != fs.ModeSocket|0o660 {
		t.Errorf("its mode is %v", mode)
	}
	testkit.Equal(t, asked(t, s, "/hello"), "hello")
}

// A new daemon answers on the same control socket, after a restart and after a crash.
func TestTheControlSocketIsTakenOver(t *testing.T) {
	s := inFolder(t)
	old := testkit.Must(Listen(t.Context(), string(s), hello()))(t)
	idle := testkit.Must(net.Dial("unix", string(s)))(t)
	defer idle.Close()
	testkit.OK(t, old.Close())
	idle.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); err == nil {
		t.Error("a client of the old one is kept")
	}
	testkit.FailsWith(t, testkit.Error(s.Ask(t.Context(), "/hello")), "it has no socket", "after the end")
	listening(t, s, hello())
	testkit.Equal(t, asked(t, s, "/hello"), "hello")
}
