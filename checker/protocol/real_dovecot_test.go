package protocol

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

func TestRealDovecot(t *testing.T) {
	path := needProgram(t, "dovecot", "dovecot-imapd dovecot-pop3d")
	ports := map[string]uint16{"imap": freePort(t), "imaps": freePort(t), "pop": freePort(t), "pops": freePort(t)}
	pid := realServer{path: path, args: []string{"-F", "-c", dovecotConfig(t, ports)},
		stop:  syscall.SIGKILL, // with SIGTERM it would wait for the connections of the time when it was frozen
		ready: accepts(ports["imap"], ports["imaps"], ports["pop"], ports["pops"])}.start(t)
	good := func(service string) Spec {
		return asking(t, service, loopback(ports[service]),
			`login=monitor; passwd=pass "word" \ ü; host=localhost`)
	}
	ca, _ := writeCertificate(t, t.TempDir())
	for service := range ports {
		t.Run(service, func(t *testing.T) {
			checkReal(t, "dovecot "+strings.TrimSuffix(service, "s"), good(service))
		})
	}
	for _, service := range []string{"imap", "pop"} {
		t.Run(service+" with STARTTLS", func(t *testing.T) {
			s := good(service)
			s.StartTLS = true
			checkReal(t, "dovecot "+service, s)
			checkReal(t, "dovecot STARTTLS", s, "{ca}", ca)
		})
	}
	checkReal(t, "dovecot exchanged", good("imaps"), "{imap}", fmt.Sprint(ports["imap"]),
		"{pop}", fmt.Sprint(ports["pop"]))
	for service, plugin := range map[string]string{"imap": "imap", "imaps": "simap", "pop": "pop", "pops": "spop"} {
		checkPlugin(t, good(service), "check_"+plugin, "-H {address} -p {port}", strings.ToUpper(plugin)+" OK")
	}
	freeze(t, pid)
	for service := range ports {
		checkReal(t, "dovecot frozen "+service, good(service))
	}
}

// dovecotConfig has one user. A failed log-in must not delay the next one: dovecot counts failures by client address,
// and all checks have the same one.
func dovecotConfig(t *testing.T, ports map[string]uint16) string {
	dir := serverDir(t)
	cert, key := writeCertificate(t, dir)
	users := writeFile(t, dir, "users", `monitor:{PLAIN}pass "word" \ ü::::::`+"\n")
	writeFile(t, dir, "mail/none", "")
	give(t, dir+"/mail", "mail")
	return writeFile(t, dir, "dovecot.conf", fmt.Sprintf(`
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = /dev/stderr
protocols = imap pop3
listen = 127.0.0.1, ::1
ssl = yes
ssl_cert = <%[2]s
ssl_key = <%[3]s
disable_plaintext_auth = no
mail_location = maildir:%[1]s/mail/%%u
first_valid_uid = 1
service imap-login {
  inet_listener imap {
    port = %[5]d
  }
  inet_listener imaps {
    port = %[6]d
    ssl = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    port = %[7]d
  }
  inet_listener pop3s {
    port = %[8]d
    ssl = yes
  }
}
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
passdb {
  driver = passwd-file
  args = %[4]s
}
userdb {
  driver = static
  args = uid=mail gid=mail home=%[1]s/mail/%%u
}
`, dir, cert, key, users, ports["imap"], ports["imaps"], ports["pop"], ports["pops"]))
}
