package protocol

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"ldirectord/checker/settings"
)

func TestRealDovecot(t *testing.T) {
	path := needProgram(t, "dovecot", "dovecot-imapd dovecot-pop3d")
	ports := map[string]uint16{"imap": freePort(t), "imaps": freePort(t), "pop": freePort(t), "pops": freePort(t)}
	pid := realServer{path: path, args: []string{"-F", "-c", dovecotConfig(t, ports)},
		stop:  syscall.SIGKILL, // with SIGTERM it would wait for the connections of the time when it was frozen
		ready: accepts(ports["imap"], ports["imaps"], ports["pop"], ports["pops"])}.start(t)
	type words struct{ in, rejected, greeting string }
	imap := words{"up: a OK [CAPABILITY *",
		"down: login rejected: a NO [AUTHENTICATIONFAILED] Authentication failed.", "up: * OK [CAPABILITY *"}
	pop := words{"up: +OK Logged in.", "down: login rejected: -ERR [AUTH] Authentication failed.",
		"up: +OK Dovecot *"}
	said := map[string]words{"imap": imap, "imaps": imap, "pop": pop, "pops": pop}
	good := func(service string) Spec {
		return Spec{
			Type:             "negotiate",
			Service:          service,
			Target:           loopback(ports[service]),
			NegotiateTimeout: inTime,
			Account:          settings.Account{Login: "monitor", Passwd: `pass "word" \ ü`},
			Host:             "localhost",
		}
	}
	for service := range ports {
		t.Run(service, func(t *testing.T) {
			checkCells(t, good(service), []cell{
				{"good", nil, said[service].in},
				{"good over IPv6", onIPv6, said[service].in},
				{"without a log-in", as("", ""), said[service].greeting},
				{"wrong password", passwdOf("other"), said[service].rejected},
				{"wrong user", loginOf("nobody"), said[service].rejected},
			})
		})
	}
	t.Run("STARTTLS", func(t *testing.T) {
		ca, _ := writeCertificate(t, t.TempDir())
		for _, service := range []string{"imap", "pop"} {
			upgrade := func(s *Spec) { s.StartTLS = true }
			verify := func(s *Spec) { s.StartTLS, s.TLSVerify, s.TLSCA = true, true, ca }
			checkCells(t, good(service), []cell{
				{service, upgrade, said[service].in},
				{service + " over IPv6",
					func(s *Spec) { upgrade(s); onIPv6(s) },
					said[service].in},
				{service + ", wrong password", func(s *Spec) { upgrade(s); s.Passwd = "other" },
					said[service].rejected},
				{service + " verified", verify, said[service].in},
				{service + " of another name", func(s *Spec) { verify(s); s.Host = "mail.example.org" },

					"down: certificate refused: certificate is valid for localhost, not " +
						"mail.example.org"},
			})
		}
	})
	t.Run("TLS and none exchanged", func(t *testing.T) {
		checkCells(t, good("imaps"), []cell{
			{"imaps", func(s *Spec) { s.Target = loopback(ports["imap"]) },
				"down: TLS handshake: the port does not speak TLS"},
			{"pops", func(s *Spec) { s.Service, s.Target = "pops", loopback(ports["pop"]) },
				"down: TLS handshake: the port does not speak TLS"},
			{"imap", func(s *Spec) { s.Service, s.NegotiateTimeout = "imap", tooLate },
				"down: timeout waiting for the greeting"},
		})
	})
	for service, plugin := range map[string]string{"imap": "imap", "imaps": "simap", "pop": "pop", "pops": "spop"} {
		checkPlugin(t, good(service), "check_"+plugin, "-H {address} -p {port}", strings.ToUpper(plugin)+" OK")
	}
	freeze(t, pid)
	for service := range ports {
		frozen := good(service)
		frozen.NegotiateTimeout = tooLate
		want := "down: timeout waiting for the greeting"
		if service == "imaps" || service == "pops" {
			want = "down: timeout in TLS handshake"
		}
		checkCells(t, frozen, []cell{{service + " frozen", nil, want}})
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
