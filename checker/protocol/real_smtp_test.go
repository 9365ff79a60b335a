package protocol

import (
	"fmt"
	"os"
	"testing"

	"ldirectord/internal/testkit"
)

func TestRealExim(t *testing.T) {
	path := needProgram(t, "exim4", "exim4-daemon-light")
	dir, port, submission := serverDir(t), freePort(t), freePort(t)
	writeFile(t, dir, "spool/none", "")
	give(t, dir+"/spool", "mail")
	cert, key := writeCertificate(t, dir)
	give(t, key, "mail")
	busy := dir + "/busy"
	config := writeFile(t, dir, "exim.conf", fmt.Sprintf(`
primary_hostname = mx.example.test
exim_user = mail
exim_group = mail
never_users =
spool_directory = %[1]s/spool
log_file_path = %[1]s/spool/%%slog
pid_file_path = %[1]s/spool/pid
daemon_smtp_ports = %[2]d : %[3]d
local_interfaces = <; 127.0.0.1 ; ::1
smtp_banner = mx.example.test ESMTP
rfc1413_query_timeout = 0s
keep_environment =
tls_advertise_hosts = ${if eq{$received_port}{%[3]d}{*}{}}
tls_certificate = %[5]s
tls_privatekey = %[6]s
acl_smtp_connect = connected
acl_smtp_helo = greeted
acl_smtp_rcpt = received
helo_accept_junk_hosts =
begin acl
connected:
  defer condition = ${if exists{%[4]s}}
    message = too busy
  accept
greeted:
  deny condition = ${if exists{%[4]s-later}}
    message = not you
  accept
received:
  accept
`, dir, port, submission, busy, cert, key))
	testkit.OK(t, os.Chmod(dir, 0o755))
	good := asking(t, "smtp", loopback(port), "")
	pid := realServer{path: path, args: []string{"-bdf", "-C", config}}.answering(t, good)
	checkReal(t, "exim", good, "{submission}", fmt.Sprint(submission), "{ca}", cert)
	checkPlugin(t, good, "check_smtp", "-H {address} -p {port}", "SMTP OK")
	checkPlugin(t, good, "check_tcp", `-H {address} -p {port} -e "220 mx.example.test ESMTP"`, "TCP OK")
	writeFile(t, dir, "busy-later", "")
	expect(t, checked(t, good), "down: hello rejected: 550 not you")
	writeFile(t, dir, "busy", "")
	expect(t, checked(t, good), "down: greeting: 451 too busy")
	checkStopped(t, pid, good, "down: timeout waiting for the greeting")
}
