package protocol

import (
	"fmt"
	"os"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

func TestRealNginx(t *testing.T) {
	path := needProgram(t, "nginx", "nginx-light")
	dir, port, secure, gone := serverDir(t), freePort(t), freePort(t), freePort(t)
	cert, key := writeCertificate(t, dir)
	a := newAuthority(t)
	ownCert, ownKey := a.write(t, "director", a.issue(t, "director", time.Hour))
	writeFile(t, dir, "www/index.html", "<p>All good</p>\n")
	writeFile(t, dir, "www/private/index.html", "Welcome\n")
	writeFile(t, dir, "users", "monitor:{PLAIN}s3cret\n")
	config := writeFile(t, dir, "nginx.conf", fmt.Sprintf(`
daemon off;
worker_processes 1;
pid %[1]s/pid;
error_log stderr;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	default_type text/html;
	server {
		listen 127.0.0.1:%[2]d;
		listen [::1]:%[2]d;
		listen 127.0.0.1:%[3]d ssl;
		listen [::1]:%[3]d ssl;
		ssl_certificate %[4]s;
		ssl_certificate_key %[5]s;
		ssl_client_certificate %[6]s;
		ssl_protocols TLSv1.2 TLSv1.3;
		ssl_verify_client optional;
		root %[1]s/www;
		location /private/ { auth_basic "private"; auth_basic_user_file %[1]s/users; }
		location = /here { return 302 /index.html; }
		location = /gone { return 302 http://127.0.0.1:%[7]d/; }
		location = /loop { return 302 /loop; }
		location = /busy { return 503 "come back later\n"; }
		location = /token { if ($http_x_token != "hunter2") { return 403; } return 200 "All good\n"; }
		location = /director {
			if ($ssl_client_verify != SUCCESS) { return 403; }
			return 200 "$ssl_client_s_dn\n";
		}
		location = /name { return 200 "$host $ssl_server_name $ssl_protocol\n"; }
	}
}
`, dir, port, secure, cert, key, a.file, gone))
	good := httpSpec(loopback(port), "All good")
	good.NegotiateTimeout = inTime
	pid := realServer{path: path, args: []string{"-e", "stderr", "-p", dir, "-c", config}}.answering(t, good)
	words := []string{"{port}", fmt.Sprint(port), "{secure}", fmt.Sprint(secure), "{gone}", fmt.Sprint(gone),
		"{ca}", cert, "{other}", a.file, "{cert}", ownCert, "{key}", ownKey}
	checkReal(t, "nginx", good, words...)
	checkPlugin(t, good, "check_http", `-I {address} -p {port} -u / -s "All good"`, "HTTP OK")
	testkit.OK(t, os.Remove(dir+"/www/index.html"))
	expect(t, checked(t, good), "down: status 404, want 2xx")
	freeze(t, pid)
	checkReal(t, "nginx frozen", good, words...)
}

func TestRealTinyproxy(t *testing.T) {
	path := needProgram(t, "tinyproxy", "tinyproxy-bin")
	dir, port, gone := serverDir(t), freePort(t), freePort(t)
	web := serve(t, saying(okHead+"Content-Length: 8\r\nConnection: close\r\n\r\nAll good")).addr
	config := func(more string) string {
		return writeFile(t, dir, "tinyproxy.conf",
			fmt.Sprintf("Port %d\nListen 127.0.0.1\nListen ::1\nTimeout 5\nMaxClients 10\n%s", port, more))
	}
	good := httpSpec(loopback(port), "All good")
	good.Service, good.URL, good.NegotiateTimeout = "http_proxy", fmt.Sprintf("http://%s/", web), inTime
	t.Run("log-in", func(t *testing.T) {
		s := realServer{path: path, args: []string{"-d", "-c", config("BasicAuth monitor s3cret\n")},
			ready: accepts(port)}
		s.start(t)
		checkReal(t, "tinyproxy with log-ins", good)
	})
	pid := realServer{path: path, args: []string{"-d", "-c", config("")}}.answering(t, good)
	checkReal(t, "tinyproxy", good, "{gone}", fmt.Sprint(gone))
	checkStopped(t, pid, good, "down: no answer in 150ms")
}
