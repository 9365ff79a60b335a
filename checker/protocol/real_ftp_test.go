package protocol

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ldirectord/internal/testkit"
)

func TestRealVsftpd(t *testing.T) {
	path := needProgram(t, "vsftpd", "vsftpd")
	dir, port := serverDir(t), freePort(t)
	writeFile(t, dir, "pub/status", "all well\n")
	writeFile(t, dir, "empty/none", "")
	pub := filepath.Join(dir, "pub")
	testkit.OK(t, os.Chmod(pub, 0o555)) // an anonymous root must not be writable
	cert, key := writeCertificate(t, dir)
	config := func(address string) string {
		return writeFile(t, dir, "vsftpd.conf", fmt.Sprintf(`background=NO
%s
listen_port=%d
anonymous_enable=YES
anon_root=%s
local_enable=NO
seccomp_sandbox=NO
xferlog_enable=NO
secure_chroot_dir=%s
`, address, port, pub, filepath.Join(dir, "empty")))
	}
	good := asking(t, "ftp", loopback(port),
		"login=anonymous; passwd=ldirectord@director; request=/status; receive=^all well$")
	t.Run("IPv6", func(t *testing.T) {
		good := good
		good.Target = loopback6(port)
		s := realServer{path: path, args: []string{config("listen_ipv6=YES\nlisten_address6=::1")}}
		s.answering(t, good)
		expect(t, checked(t, good), "up: /status: 9 bytes")
	})
	t.Run("active mode", func(t *testing.T) {
		s := realServer{path: path,
			args: []string{config("listen=YES\nlisten_address=127.0.0.1\npasv_enable=NO")}}
		s.answering(t, good)
		expect(t, checked(t, good), "up: /status: 9 bytes")
	})
	t.Run("AUTH TLS", func(t *testing.T) {
		upgrade := good
		upgrade.StartTLS, upgrade.TLSVerify, upgrade.TLSCA = true, true, cert
		tls := fmt.Sprintf("listen=YES\nlisten_address=127.0.0.1\nssl_enable=YES\nallow_anon_ssl=YES\n"+
			"force_anon_logins_ssl=YES\nforce_anon_data_ssl=YES\nrsa_cert_file=%s\nrsa_private_key_file=%s",
			cert, key)
		s := realServer{path: path, args: []string{config(tls)}, ready: accepts(port)}
		s.start(t)
		checkReal(t, "vsftpd with TLS", upgrade)
	})
	pid := realServer{path: path, args: []string{config("listen=YES\nlisten_address=127.0.0.1")}}.answering(t, good)
	checkReal(t, "vsftpd", good)
	checkPlugin(t, good, "check_ftp", "-H {address} -p {port}", "FTP OK")
	checkStopped(t, pid, good, "down: timeout waiting for the greeting")
}
