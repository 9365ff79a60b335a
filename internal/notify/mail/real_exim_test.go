package mail

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
)

// Tests named TestReal… need a program of a Debian package. They run when REAL_TESTS is set. Without the program they
// are skipped; with REAL_TESTS=required they fail.

const realWait = 30 * time.Second

// A mail is sent by SMTP and by the sendmail command of a real mail system, and arrives in a mailbox.
func TestRealEximDelivers(t *testing.T) {
	e := startExim(t)
	for name, rule := range map[string]Rule{
		"SMTP":     {To: "Ops <ops@example.net>, night@example.net", SMTP: e.addr},
		"sendmail": {To: "Ops <ops@example.net>, night@example.net"},
	} {
		t.Run(name, func(t *testing.T) {
			rule.From, rule.ServiceName, rule.Statuses = "LVS <lvs@example.net>", "Läden "+
				name, []lvs.Status{lvs.StatusRunning}
			if failures, err := e.sends(t, rule); err != nil || len(failures) > 0 {
				t.Fatalf("%v, %v", err, failures)
			}
			for _, to := range []string{"ops@example.net", "night@example.net"} {
				mail := e.await(t, "Envelope-to: "+to, "Service name: Läden "+name)
				for _, line := range []string{
					"\nFrom: LVS <lvs@example.net>\n", "\nLog-Message: [Läden " + name +
						"] Deleted real server: 10.2.0.1:7000 (10.1.0.1:7000)\n",
					"\nDaemon-Status: running\n",
				} {
					testkit.Contains(t, mail, line, "to", to)
				}
			}
		})
	}
}

// sends has the mail of a rule sent. It returns what is reported, and how the mailer ends.
func (e *exim) sends(t *testing.T, rule Rule) (failures []string, err error) {
	t.Helper()
	m, reported := e.mailer(t)
	setRule(m, rule)
	m.Notify(wentDown(testReal))
	ctx := testkit.Within(t, realWait)
	err = m.Close(ctx)
	return reported(), err
}

func TestRealEximRefuses(t *testing.T) {
	e := startExim(t)
	for to, want := range map[string]string{
		"nobody@example.net":   "550",
		"tooearly@example.net": "451",
	} {
		got, err := e.sends(t, Rule{To: to, SMTP: e.addr, Statuses: []lvs.Status{lvs.StatusRunning}})
		if err == nil {
			t.Errorf("%s: the mail counts as sent", to)
		}
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: reported %q, want one failure with %s", to, got, want)
		}
	}
}

func TestRealEximThatIsSilentHoldsNobodyUp(t *testing.T) {
	e := startExim(t)
	testkit.OK(t, syscall.Kill(-e.pid, syscall.SIGSTOP))
	m, _ := e.mailer(t)
	setRule(m, Rule{To: "ops@example.net", SMTP: e.addr, Statuses: []lvs.Status{lvs.StatusRunning}})
	start := time.Now()
	m.Notify(wentDown(testReal))
	if took := time.Since(start); took > time.Second {
		t.Errorf("reporting took %v", took)
	}
	ctx := testkit.Within(t, 500*time.Millisecond)
	if err := m.Close(ctx); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("Close: %v after %v", err, time.Since(start))
	}
}

// A mail system that demands TLS and a log-in gets both, or no mail.
func TestRealEximDemandsTLSAndALogIn(t *testing.T) {
	e := startExim(t)
	allowed, wrong := password("open sesame"), password("wrong")
	for _, c := range []struct {
		Rule
		want string // "": it is sent
	}{
		{Rule{TLS: "required", User: "lvs", Password: allowed}, ""},
		{Rule{TLS: "required"}, "log in first"},
		{Rule{}, "log in first"},
		{Rule{TLS: "offered", User: "lvs", Password: wrong}, "AUTH: 535 "},
		{Rule{SMTP: e.addr, TLS: "required"}, "does not offer TLS"},
		{Rule{SMTP: e.addr, TLS: "offered", User: "lvs", Password: allowed}, "does not offer TLS"},
	} {
		row := c.Rule
		row.To, row.From, row.Statuses = "ops@example.net", "lvs@example.net", []lvs.Status{lvs.StatusRunning}
		row.SMTP = cmp.Or(row.SMTP, e.secured)
		got, err := e.sends(t, row)
		sent := err == nil && len(got) == 0
		if sent != (c.want == "") || !sent && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
			t.Errorf("%+v: %v, reported %q, want %q", row, err, got, c.want)
		}
	}
	e.await(t, "Envelope-to: ops@example.net")
}

func password(text string) func() (string, error) { return func() (string, error) { return text, nil } }

// exim is a mail system on loopback that puts everything into one mailbox.
type exim struct {
	path, config, box string
	addr              string
	secured           string         // demands TLS and a log-in
	roots             *x509.CertPool // its certificate
	pid               int
}

func startExim(t *testing.T) *exim {
	t.Helper()
	if os.Getenv("REAL_TESTS") == "" {
		t.Skip("needs a real server: make test-all")
	}
	path := testkit.Program(t, "exim4", "exim4-daemon-light")
	dir := testkit.Must(os.MkdirTemp("", "exim"))(t) // t.TempDir is closed to other users
	t.Cleanup(func() { os.RemoveAll(dir) })
	e := &exim{path: path, config: filepath.Join(dir, "exim.conf"), box: filepath.Join(dir, "spool", "box"),
		addr: onLoopback(t), secured: onLoopback(t)}
	e.configure(t, dir)
	e.run(t)
	return e
}

// onLoopback is a free address for exim, of 127.0.0.1 as its certificate is.
func onLoopback(t *testing.T) string {
	l := testkit.Must(net.Listen("tcp4", "127.0.0.1:0"))(t)
	defer l.Close()
	return l.Addr().String()
}

func (e *exim) configure(t *testing.T, dir string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(e.addr)
	_, secured, _ := net.SplitHostPort(e.secured)
	cert, key := e.certificate(t, dir)
	testkit.OK(t, os.Mkdir(filepath.Join(dir, "spool"), 0o755))
	for path, mode := range map[string]os.FileMode{dir: 0o755, filepath.Join(dir, "spool"): 0o755} {
		testkit.OK(t, os.Chmod(path, mode))
	}
	u := testkit.Must(user.Lookup("mail"))(t)
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	testkit.OK(t, os.Chown(filepath.Join(dir, "spool"), uid, gid))
	text := fmt.Sprintf(`
primary_hostname = mx.example.test
exim_user = mail
exim_group = mail
never_users =
spool_directory = %[1]s/spool
log_file_path = %[1]s/spool/%%slog
pid_file_path = %[1]s/spool/pid
daemon_smtp_ports = %[2]s : %[3]s
tls_advertise_hosts = ${if eq{$received_port}{%[3]s}{*}{}}
tls_certificate = %[4]s
tls_privatekey = %[5]s
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
local_interfaces = 127.0.0.1
rfc1413_query_timeout = 0s
keep_environment =
qualify_domain = example.net
acl_smtp_rcpt = received
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{{eq{$auth2}{lvs}}{eq{$auth3}{open sesame}}}}
  server_set_id = $auth2
begin acl
received:
  deny condition = ${if eq{$received_port}{%[3]s}}
    !authenticated = *
    message = log in first
  deny local_parts = nobody
  defer local_parts = tooearly
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = %[1]s/spool/box
  envelope_to_add
  user = mail
`, dir, port, secured, cert, key)
	testkit.OK(t, os.WriteFile(e.config, []byte(text), 0o644))
}

// certificate writes a certificate for 127.0.0.1, and its key, for exim to read.
func (e *exim) certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	known := httptest.NewTLSServer(nil)
	defer known.Close()
	e.roots = x509.NewCertPool()
	e.roots.AddCert(known.Certificate())
	private := testkit.Must(x509.MarshalPKCS8PrivateKey(known.TLS.Certificates[0].PrivateKey))(t)
	cert, key = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: known.Certificate().Raw}, key: {Type: "PRIVATE KEY",
			Bytes: private}} {
		testkit.OK(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o644))
	}
	return cert, key
}

// run runs the daemon in a process group of its own until the test ends.
func (e *exim) run(t *testing.T) {
	t.Helper()
	cmd := exec.Command(e.path, "-bdf", "-C", e.config)
	var output bytes.Buffer
	cmd.Stderr = &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	testkit.OK(t, cmd.Start())
	e.pid = cmd.Process.Pid
	t.Cleanup(func() {
		syscall.Kill(-e.pid, syscall.SIGKILL)
		cmd.Wait()
	})
	testkit.Until(t, realWait, func() bool {
		conn, err := net.DialTimeout("tcp", e.addr, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, "exim does not listen", output.String)
}

// mailer sends through this exim, also by its sendmail command. The function failures returns the failures that were
// reported.
func (e *exim) mailer(t *testing.T) (m *Mailer, failures func() []string) {
	t.Helper()
	reported := make(chan string, 100)
	m = New(func(ev notify.Event) {
		if ev.Kind == notify.MailFailed {
			reported <- ev.Text
		}
	})
	m.deliver = func(ctx context.Context, l *letter) ([]string, error) {
		if l.smtp == "" {
			return sendmail(ctx, [][]string{{e.path, "-C", e.config, "-odf", "-t"}}, l)
		}
		l.roots = e.roots
		return deliver(ctx, l)
	}
	return m, func() (all []string) {
		for len(reported) > 0 {
			all = append(all, <-reported)
		}
		return all
	}
}

// await returns the mail in the mailbox that has these lines.
func (e *exim) await(t *testing.T, lines ...string) string {
	t.Helper()
	var box []byte
	for end := time.Now().Add(realWait); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		box, _ = os.ReadFile(e.box)
	mails:
		for mail := range strings.SplitSeq(string(box), "\nFrom ") {
			for _, l := range lines {
				if !strings.Contains(mail, "\n"+l+"\n") {
					continue mails
				}
			}
			return mail
		}
	}
	t.Fatalf("no mail with %q came:\n%s", lines, box)
	return ""
}
