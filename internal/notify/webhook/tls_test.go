package webhook

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
)

// TestRealTLS posts to servers whose authority is only in SSL_CERT_FILE. It does so in a process of its own, because
// the system's authorities are read only once in a process.
func TestRealTLS(t *testing.T) {
	if to := os.Getenv("WEBHOOK_TEST_URL"); to != "" {
		fmt.Println("said:", postOnce(to))
		return
	}
	var got []string
	good := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		got = append(got, fmt.Sprintf("%s %s %s %s:%s %s %q", r.Method, r.URL, r.Header.Get("Content-Type"),
			user, password, r.UserAgent(), text))
	}))
	defer good.Close()
	good.Config.ErrorLog = log.New(io.Discard, "", 0)
	good.StartTLS()
	moved := httptest.NewTLSServer(http.RedirectHandler(good.URL+"/moved?s3cret", http.StatusTemporaryRedirect))
	defer moved.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good.Certificate().Raw})
	testkit.Write(t, authority, string(text))
	other := filepath.Join(t.TempDir(), "none.pem")
	testkit.Write(t, other, "")
	closed := testkit.FreeAddr(t).String()
	at := strings.TrimPrefix(good.URL, "https://")
	in := strings.NewReplacer("{good}", at, "{port}", at[strings.Index(at, ":"):], "{plain}", plainServer(t),
		"{moved}", moved.URL, "{closed}", closed, "{endless}", talker(t, "HTTP/1.1 200 OK\r\n\r\n"),
		"{endless header}", talker(t, "HTTP/1.1 200 OK\r\nX: "))
	for _, row := range testkit.Table(t, "testdata/tls.txt", 5) {
		for i := range row {
			row[i] = in.Replace(row[i])
		}
		what, to, trusted, proxy, want := row[0], row[1], authority, row[3], row[4]
		if row[2] == "none" {
			trusted = other
		}
		if _, err := net.LookupHost("localhost"); err != nil && what == "another name" {
			t.Log("nothing here knows the name localhost: there is no /etc/hosts")
			continue
		}
		run := exec.Command(os.Args[0], "-test.run=^TestRealTLS$")
		run.Env = append(os.Environ(), "WEBHOOK_TEST_URL="+to, "SSL_CERT_FILE="+trusted,
			"SSL_CERT_DIR=/nonexistent", "HTTP_PROXY="+proxy, "HTTPS_PROXY=", "https_proxy=",
			"http_proxy=", "NO_PROXY=")
		began := time.Now()
		out, err := run.Output()
		if took := time.Since(began); took > tryTime/2 {
			t.Errorf("%s: after %v", what, took)
		}
		if output := string(out); err != nil || !strings.Contains(output, want) ||
			strings.Contains(output, "s3cret") {
			t.Errorf("%s: %v: %s", what, err, output)
		}
	}
	if want := `POST /s3cret?token=s3cret application/json me:s3cret ldirectord "{}\n"`; len(got) != 1 ||
		got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// postOnce returns the result of one try.
func postOnce(to string) string {
	output := make(chan string, 10)
	p := New(func(e notify.Event) { output <- e.Text })
	p.Set(to)
	tried := make(chan struct{})
	p.Post("tcp:192.0.2.1:80", []byte("{}\n"), func() { close(tried) })
	<-tried
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := p.Close(ctx); err == nil {
		return "posted"
	}
	return <-output
}

// plainServer speaks HTTP without TLS.
func plainServer(t *testing.T) string {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// talker sends the first text, and then more that never ends, until the client closes the connection.
func talker(t *testing.T, first string) string {
	l := testkit.Listen(t)
	testkit.Serve(t, l, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		for _, err := io.WriteString(c, first); err == nil; {
			_, err = io.WriteString(c, strings.Repeat("more ", 1000))
		}
	})
	return l.Addr().String()
}
