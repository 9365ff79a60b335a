package protocol

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// Tests named TestReal… start programs of Debian packages on loopback and check them. They run when REAL_TESTS is
// set. A test whose program is not installed is skipped; with REAL_TESTS=required it fails.

// realStart bounds how long a server may take to answer, realStop how long to end.
const (
	realStart = 30 * time.Second
	realStop  = 10 * time.Second
)

// needProgram returns the path of a server's program, or ends the test.
func needProgram(t *testing.T, program, debianPackage string) string {
	t.Helper()
	if os.Getenv("REAL_TESTS") == "" {
		t.Skip("needs a real server: make test-all")
	}
	return testkit.Program(t, program, debianPackage)
}

// realServer is a program to run for one test.
type realServer struct {
	path  string
	args  []string
	env   []string       // in addition to the test's environment
	user  string         // "": the user of the test
	stop  syscall.Signal // 0: SIGTERM
	ready func(context.Context) error
}

// start runs the server until the test ends, and returns when it is ready. Tests that stop the server in between use
// its process id.
func (s realServer) start(t *testing.T) (pid int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	out := testkit.Must(os.Create(log))(t)
	defer out.Close()
	cmd := exec.Command(s.path, s.args...)
	cmd.Stdout, cmd.Stderr = out, out
	s.as(t, cmd)
	testkit.OK(t, cmd.Start())
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		stopServer(cmd.Process, s.stop, ended)
		if said, err := os.ReadFile(log); t.Failed() && err == nil {
			t.Logf("%s said:\n%s", s.path, said)
		}
	})
	s.await(t, ended)
	return cmd.Process.Pid
}

// as gives a command the server's user and environment.
func (s realServer) as(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Env = append(os.Environ(), s.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.user != "" {
		cmd.SysProcAttr.Credential = credential(t, s.user)
	}
}

// await waits until the server is ready.
func (s realServer) await(t *testing.T, ended <-chan struct{}) {
	t.Helper()
	ctx := testkit.Within(t, realStart)
	for {
		err := s.ready(ctx)
		if err == nil {
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended before it was ready", s.path)
		case <-ctx.Done():
			t.Fatalf("%s is not ready after %v: %v", s.path, realStart, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stopServer ends a server and the rest of its process group.
func stopServer(p *os.Process, how syscall.Signal, ended <-chan struct{}) {
	if how == 0 {
		how = syscall.SIGTERM
	}
	syscall.Kill(-p.Pid, syscall.SIGCONT)
	p.Signal(how)
	select {
	case <-ended:
	case <-time.After(realStop):
	}
	syscall.Kill(-p.Pid, syscall.SIGKILL)
	<-ended
}

// freeze stops all processes of a server: its ports stay open, and no process answers.
func freeze(t *testing.T, pid int) {
	t.Helper()
	testkit.OK(t, syscall.Kill(-pid, syscall.SIGSTOP))
	testkit.Until(t, realStop, func() bool { return isFrozen(t, pid) }, "the server does not stop")
}

// isFrozen reports whether every thread of a process group has stopped (proc_pid_stat(5)).
func isFrozen(t *testing.T, group int) bool {
	t.Helper()
	for _, path := range testkit.Files(t, "/proc/[0-9]*/task/[0-9]*/stat") {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(after) // state, parent, process group …
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && !strings.Contains("TZX", fields[0]) {
			return false
		}
	}
	return true
}

func credential(t *testing.T, name string) *syscall.Credential {
	t.Helper()
	uid, gid := ids(t, name)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func ids(t *testing.T, name string) (uid, gid int) {
	t.Helper()
	u := testkit.Must(user.Lookup(name))(t)
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid
}

// give changes the owner of a folder and of all in it.
func give(t *testing.T, dir, name string) {
	t.Helper()
	uid, gid := ids(t, name)
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
	testkit.OK(t, err)
}

// serverDir makes a folder that other users may enter (t.TempDir is closed to them), with a path
// short enough for sockets.
func serverDir(t *testing.T) string {
	t.Helper()
	dir := testkit.Must(os.MkdirTemp("", "real"))(t)
	t.Cleanup(func() { os.RemoveAll(dir) })
	testkit.OK(t, os.Chmod(dir, 0o755))
	return dir
}

// writeFile writes a file of a server and returns its path.
func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	testkit.OK(t, os.MkdirAll(filepath.Dir(path), 0o755))
	testkit.OK(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

var givenPorts sync.Map // by freePort

// freePort returns another port at each call. It is free on both loopback addresses, for TCP and UDP.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for range 100 {
		port := testkit.FreeAddr(t).Port()
		if _, given := givenPorts.LoadOrStore(port, true); !given && isFree(port) {
			return port
		}
	}
	t.Fatal("no free port found")
	return 0
}

func isFree(port uint16) bool {
	for _, host := range []string{"127.0.0.1", "::1"} {
		to := net.JoinHostPort(host, strconv.Itoa(int(port)))
		l, err := net.Listen("tcp", to)
		if err != nil {
			return false
		}
		l.Close()
		c, err := net.ListenPacket("udp", to)
		if err != nil {
			return false
		}
		c.Close()
	}
	return true
}

// loopback is a port of 127.0.0.1, loopback6 one of ::1.
func loopback(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

func loopback6(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.IPv6Loopback(), port) }

func onIPv6(s *Spec) { s.Target = loopback6(s.Target.Port()) }

// accepts reports a server as ready when all ports take TCP connections.
func accepts(ports ...uint16) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, port := range ports {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", loopback(port).String())
			if err != nil {
				return err
			}
			c.Close()
		}
		return nil
	}
}

// answering is start for a server that is ready when this check of it succeeds.
func (s realServer) answering(t *testing.T, good Spec) (pid int) {
	t.Helper()
	c := build(t, good, nil)
	s.ready = func(ctx context.Context) error {
		r := c.Check(ctx)
		if !r.OK {
			return wire.NewFault(nil, "%s", r.Detail)
		}
		return nil
	}
	return s.start(t)
}

// certificate is a self-signed certificate for localhost and its key, as PEM. It is made once.
var certificate = sync.OnceValues(func() (cert, key []byte) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		panic(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
})

// writeCertificate puts the certificate and its key into a server's folder.
func writeCertificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	c, k := certificate()
	return writeFile(t, dir, "cert.pem", string(c)), writeFile(t, dir, "key.pem", string(k))
}

// serverTLS is the TLS configuration of a test's server, which accepts old versions too.
func serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	pair := testkit.Must(tls.X509KeyPair(certificate()))(t)
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10}
}

// checkReal makes the checks of a server in real.txt. The words are pairs: what a word in braces there means.
func checkReal(t *testing.T, server string, good Spec, words ...string) {
	t.Helper()
	of, rows := strings.NewReplacer(words...), 0
	for _, row := range testkit.Table(t, "../../testdata/checker/real.txt", 4) {
		if row[0] != server {
			continue
		}
		rows++
		t.Run(row[1], func(t *testing.T) {
			s := good
			apply(t, &s, of.Replace(row[2]))
			expect(t, build(t, s, &Env{HostName: "director"}).Check(t.Context()), of.Replace(row[3]))
		})
	}
	if rows == 0 {
		t.Errorf("testdata/checker/real.txt has no row for %s", server)
	}
}
