package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

const ftpByMark = `
VIRTUAL = MARK
        mark = VIP tcp 20,21,30000:30099
        REALS
        scheduler = rr
        persistent = 600
        service = ftp
        checkport = 21
        request = "status.txt"
        receive = "ok"
`

// Ftp by one mark. The control connection and the data connections in both directions go to one server, otherwise no
// file would arrive.
func (m *matrix) ftp(t *testing.T) {
	l := m.lab.with(t)
	for _, ns := range three {
		l.vsftpd(ns)
	}
	l.start("checkinterval = 30\nnegotiatetimeout = 10\n" + l.example("ftp.cf") + sections(ftpByMark, dr6))
	l.untilServers(6, "-w 0")
	for _, w := range []lane{dr4, dr6} {
		for _, mode := range []string{"passive", "active"} {
			m.row(t, "ftp, "+mode+": control and data go to one server", w, "mark", func(t *testing.T) {
				var answers []map[string]int
				for _, n := range m.clients(3) {
					answers = append(answers,
						map[string]int{l.with(t).fetch(w, w.client(n), mode): 1})
				}
				sticks(t, answers)
			})
		}
	}
}

// vsftpd runs an ftp server that has a file with its name: vsftpd if it is installed, otherwise ftpServer.
func (l *lab) vsftpd(ns string) {
	l.t.Helper()
	path, err := exec.LookPath("vsftpd")
	if err != nil {
		l.ftpServer(ns)
		return
	}
	pub, empty := filepath.Join(l.dir, ns, "pub"), filepath.Join(l.dir, ns, "empty")
	testkit.OK(l.t, errors.Join(os.MkdirAll(pub, 0o755), os.MkdirAll(empty, 0o755)))
	config := filepath.Join(l.dir, ns, "vsftpd.conf")
	err = errors.Join(
		os.WriteFile(filepath.Join(pub, "status.txt"), []byte(ns+" ok\n"), 0o644),
		os.Chmod(pub, 0o555), // an anonymous root must not be writable
		os.WriteFile(config, fmt.Appendf(nil, `background=NO
listen=NO
listen_ipv6=YES
anonymous_enable=YES
anon_root=%s
local_enable=NO
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
one_process_model=YES
xferlog_enable=NO
connect_from_port_20=YES
pasv_min_port=30000
pasv_max_port=30099
secure_chroot_dir=%s
`, pub, empty), 0o644))
	testkit.OK(l.t, err)
	server := exec.Command("ip", "netns", "exec", l.prefix+ns, path, config)
	testkit.OK(l.t, server.Start())
	l.t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	l.listens(ns, "21") // after a failed check, the next one is half a minute later
}

// listens waits until a program listens at a port.
func (l *lab) listens(ns, port string) {
	l.t.Helper()
	testkit.Until(l.t, 20*time.Second, func() (does bool) {
		l.in(ns, func() {
			if conn, err := net.DialTimeout("tcp4", "127.0.0.1:"+port, requestTimeout); err == nil {
				conn.Close()
				does = true
			}
		})
		return does
	}, ns, "does not listen at", port)
}

// fetch gets status.txt as a client. It returns the first word of the file, or the error.
func (l *lab) fetch(w lane, client netip.Addr, mode string) (word string) {
	l.t.Helper()
	var err error
	l.in("client", func() { word, err = fetchFrom(client, net.JoinHostPort(w.vip, "21"), mode == "active") })
	if err != nil {
		return err.Error()
	}
	return word
}

func fetchFrom(client netip.Addr, server string, active bool) (string, error) {
	conn, err := dialFrom(client, "tcp", server)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second)) // a session of vsftpd takes a second in the lab
	control := textproto.NewConn(conn)
	if _, _, err := control.ReadResponse(220); err != nil {
		return "", fmt.Errorf("greeting: %w", err)
	}
	if _, err := ftpAsk(control, 331, "USER anonymous"); err != nil {
		return "", err
	}
	if _, err := ftpAsk(control, 230, "PASS client@example.com"); err != nil {
		return "", err
	}
	data, err := ftpData(control, client, server, active)
	if err != nil {
		return "", err
	}
	if _, err := ftpAsk(control, 150, "RETR status.txt"); err != nil {
		return "", err
	}
	file, err := data()
	if err != nil {
		return "", fmt.Errorf("data connection: %w", err)
	}
	if _, _, err := control.ReadResponse(226); err != nil {
		return "", fmt.Errorf("end of the transfer: %w", err)
	}
	word, _, _ := strings.Cut(file, " ")
	return word, nil
}

func ftpAsk(control *textproto.Conn, code int, command string) (string, error) {
	if err := control.PrintfLine("%s", command); err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	_, text, err := control.ReadResponse(code)
	if err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	return text, nil
}

// ftpData prepares a data connection (RFC 2428). The returned function reads all of its data.
func ftpData(control *textproto.Conn, client netip.Addr, server string, active bool) (func() (string, error), error) {
	if !active {
		text, err := ftpAsk(control, 229, "EPSV")
		if err != nil {
			return nil, err
		}
		_, port, _ := strings.Cut(text, "(|||")
		port, _, _ = strings.Cut(port, "|")
		host, _, _ := net.SplitHostPort(server)
		conn, err := dialFrom(client, "tcp", net.JoinHostPort(host, port))
		if err != nil {
			return nil, err
		}
		return func() (string, error) { return allOf(conn) }, nil
	}
	listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(client, 0)))
	if err != nil {
		return nil, err
	}
	family := 1
	if client.Is6() {
		family = 2
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if _, err := ftpAsk(control, 200, fmt.Sprintf("EPRT |%d|%s|%d|", family, client, port)); err != nil {
		listener.Close()
		return nil, err
	}
	return func() (string, error) {
		defer listener.Close()
		listener.SetDeadline(time.Now().Add(10 * time.Second))
		conn, err := listener.Accept()
		if err != nil {
			return "", err
		}
		from := conn.RemoteAddr().(*net.TCPAddr)
		if host, _, _ := net.SplitHostPort(server); from.IP.String() != host || from.Port != 20 {
			conn.Close()
			return "", fmt.Errorf("the data connection comes from %s", from)
		}
		return allOf(conn)
	}, nil
}

func allOf(conn net.Conn) (string, error) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(requestTimeout))
	all, err := io.ReadAll(conn)
	return string(all), err
}

// ftpServer supports as much of RFC 959 and RFC 2428 as the lab's checks and clients need.
func (l *lab) ftpServer(ns string) {
	testkit.Serve(l.t, l.listen(ns, ":21"), func(c net.Conn) { l.ftpSession(ns, c) })
}

func (l *lab) ftpSession(ns string, conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	here := conn.LocalAddr().(*net.TCPAddr)
	var data func() (net.Conn, error)
	fmt.Fprint(conn, "220 ready\r\n")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		verb, argument, _ := strings.Cut(lines.Text(), " ")
		switch verb {
		case "USER":
			fmt.Fprint(conn, "331 password\r\n")
		case "PASS":
			fmt.Fprint(conn, "230 welcome\r\n")
		case "CWD", "TYPE":
			fmt.Fprint(conn, "250 done\r\n")
		case "EPSV":
			var listener *net.TCPListener
			var err error
			for port := 30000; port < 30100; port++ {
				at := net.TCPAddr{IP: here.IP, Port: port}
				if l.enter(ns, func() { listener, err = net.ListenTCP("tcp", &at) }); err == nil {
					break
				}
			}
			if err != nil {
				return
			}
			data = func() (net.Conn, error) {
				defer listener.Close()
				listener.SetDeadline(time.Now().Add(requestTimeout))
				return listener.Accept()
			}
			fmt.Fprintf(conn, "229 extended (|||%d|)\r\n", listener.Addr().(*net.TCPAddr).Port)
		case "EPRT":
			field := strings.Split(argument, "|")
			data = func() (to net.Conn, err error) {
				d := net.Dialer{Timeout: requestTimeout, LocalAddr: &net.TCPAddr{IP: here.IP, Port: 20}}
				entered := l.enter(ns,
					func() { to, err = d.Dial("tcp", net.JoinHostPort(field[2], field[3])) })
				return to, errors.Join(entered, err)
			}
			fmt.Fprint(conn, "200 done\r\n")
		case "RETR":
			fmt.Fprint(conn, "150 here it comes\r\n")
			to, err := data()
			if err != nil {
				fmt.Fprint(conn, "425 no data connection\r\n")
				continue
			}
			fmt.Fprintf(to, "%s ok\n", ns)
			to.Close()
			fmt.Fprint(conn, "226 done\r\n")
		default:
			fmt.Fprint(conn, "221 bye\r\n")
			return
		}
	}
}
