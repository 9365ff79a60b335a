package ipvsctl

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// TestKernelEditsKeepConnections keeps a connection open through a masquerading service during every kind of edit.
func TestKernelEditsKeepConnections(t *testing.T) {
	needsIPVS(t)
	namespace(t)
	for _, addr := range []string{"10.1.0.1/32", "10.2.0.1/32", "10.2.0.2/32"} {
		run(t, "ip", "addr", "add", addr, "dev", "lo")
	}
	echo(t, "10.2.0.1:8080")
	k := openKernel(t)
	apply(t, k, parseOps(t,
		"-A -t 10.1.0.1:80 -s wrr",
		"-a -t 10.1.0.1:80 -r 10.2.0.1:8080 -m -w 1",
		"-a -t 10.1.0.1:80 -r 10.2.0.2:8080 -m -w 0",
	)...)
	conn := testkit.Must(net.DialTimeout("tcp", "10.1.0.1:80", 5*time.Second))(t)
	defer conn.Close()
	for i, line := range []string{
		"-E -t 10.1.0.1:80 -s wlc",
		"-E -t 10.1.0.1:80 -s sh -b sh-port",
		"-E -t 10.1.0.1:80 -s rr -p 300 -M 255.255.255.0",
		"-E -t 10.1.0.1:80 -s rr",
		"-A -t 10.1.0.1:80 -s wrr",
		"-e -t 10.1.0.1:80 -r 10.2.0.2:8080 -i -w 1",
		"-e -t 10.1.0.1:80 -r 10.2.0.1:8080 -m -w 0",
		"-a -t 10.1.0.1:80 -r 10.2.0.1:8080 -m -w 7",
		"-e -t 10.1.0.1:80 -r 10.2.0.1:8080 -m -w 7 -x 100 -y 10",
		"-d -t 10.1.0.1:80 -r 10.2.0.2:8080",
	} {
		apply(t, k, parseOp(t, line))
		testkit.OK(t, exchange(conn, byte(i)), "after", line)
	}
}

// echo is a server that sends back what it receives, until the test ends.
func echo(t *testing.T, addr string) {
	t.Helper()
	testkit.Serve(t, testkit.Must(net.Listen("tcp", addr))(t), func(conn net.Conn) { io.Copy(conn, conn) })
}

func exchange(conn net.Conn, b byte) error {
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte{b}); err != nil {
		return err
	}
	var back [1]byte
	if _, err := io.ReadFull(conn, back[:]); err != nil {
		return err
	}
	if back[0] != b {
		return fmt.Errorf("sent %d, got %d", b, back[0])
	}
	return nil
}

func TestKernelForeignServicesAreReadAndLeftAlone(t *testing.T) {
	needsIPVS(t)
	namespace(t)
	run(t, "ipvsadm", "-A", "-t", "10.9.0.1:80", "-s", "sh", "-b", "sh-port", "-p", "99")
	run(t, "ipvsadm", "-a", "-t", "10.9.0.1:80", "-r", "10.9.0.2:80", "-i", "-w", "70000", "--tun-type", "gue",
		"--tun-port", "6080")
	k := openKernel(t)
	foreign := apply(t, k)
	const text = "-A -t 10.9.0.1:80 -s sh -p 99 -b sh-port\n" +
		"-a -t 10.9.0.1:80 -r 10.9.0.2:80 -i -w 70000 --tun-type gue --tun-port 6080 --tun-nocsum\n"
	if got := lvs.Format(foreign); got != text {
		t.Fatalf("got\n%swant\n%s", got, text)
	}
	want := tableOf(t, "-A -t 10.1.0.1:80 -s rr", "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m -w 1")
	apply(t, k, lvs.Diff(foreign, want)...)
	apply(t, k, removal(want)...)
	testkit.Equal(t, lvs.Format(apply(t, k)), text)
}

// TestKernelReadsTenThousandDestinations reads a table that takes hundreds of messages, to the last entry.
func TestKernelReadsTenThousandDestinations(t *testing.T) {
	k := ownKernel(t)
	want := manyDests()
	start := time.Now()
	have := apply(t, k, lvs.Diff(nil, want)...)
	made := time.Since(start)
	start = time.Now()
	apply(t, k)
	t.Logf("%d services with 10,000 destinations: made in %v, read in %v", len(want), made, time.Since(start))
	if left := lvs.Diff(have, want); len(left) > 0 {
		t.Errorf("%d differences, the first %s", len(left), left[0])
	}
}

func BenchmarkKernelRead10k(b *testing.B) {
	k := ownKernel(b)
	apply(b, k, lvs.Diff(nil, manyDests())...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKernelEdit(b *testing.B) {
	k := ownKernel(b)
	apply(b, k, parseOps(b, "-A -f 1 -s rr", "-a -f 1 -r 10.2.0.1:0 -g -w 1")...)
	edit := parseOp(b, "-e -f 1 -r 10.2.0.1:0 -g -w 2")
	b.ReportAllocs()
	for b.Loop() {
		if err := k.Do(b.Context(), edit)[0]; err != nil {
			b.Fatal(err)
		}
	}
}
