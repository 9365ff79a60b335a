package protocol

import (
	"fmt"
	"os"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
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
	pid := realServer{path: path, args: []string{"-e", "stderr", "-p", dir, "-c", config},
		ready: answers(build(t, good, nil))}.start(t)
	at := func(path, receive string) func(*Spec) {
		return func(s *Spec) { s.URL, s.Receive = fmt.Sprintf("http://%s%s", s.Target, path), receive }
	}
	over := func(path, receive string) func(*Spec) {
		return func(s *Spec) {
			s.Service, s.Target = "https", loopback(secure)
			s.URL, s.Receive = fmt.Sprintf("https://%s%s", s.Target, path), receive
		}
	}
	then := func(changes ...func(*Spec)) func(*Spec) {
		return func(s *Spec) {
			for _, change := range changes {
				change(s)
			}
		}
	}
	login := func(s *Spec) { s.HTTPUser, s.HTTPPasswd = "monitor", "s3cret" }
	status := func(list settings.HTTPStatuses) func(*Spec) { return func(s *Spec) { s.HTTPStatus = list } }
	verify := func(s *Spec) { s.TLSVerify, s.TLSCA = true, cert }
	checkCells(t, good, []cell{
		{"good", nil, "up: 200 OK"},
		{"good over IPv6", then(onIPv6, at("/", "good")), "up: 200 OK"},
		{"HEAD", func(s *Spec) { s.HTTPMethod, s.Receive = "HEAD", "" }, "up: 200 OK"},
		{"virtualhost", then(at("/name", "^www.example.org "), func(s *Spec) { s.Host = "www.example.org" }),
			"up: 200 OK"},
		{"wrong answer", at("/index.html", "All bad"),
			`down: body does not match /All bad/: got "<p>All good</p>\n"`},
		{"no such page", at("/none", ""), "down: status 404, want 2xx"},
		{"busy", at("/busy", ""), "down: status 503, want 2xx"},
		{"busy is good", then(at("/busy", "later"), status("200,503")),
			"up: 503 Service Temporarily Unavailable"},
		{"not found is not", then(at("/none", ""), status("200,503")), "down: status 404, want 200,503"},
		{"redirect", at("/here", "All good"), "up: 200 OK"},
		{"redirect not followed", then(at("/here", ""), func(s *Spec) { s.FollowRedirect = "no" }),
			"down: status 302, want 2xx"},
		{"redirect is good", then(at("/gone", ""), status("300-399")), "up: 302 Moved Temporarily"},
		{"redirect to nobody", at("/gone", ""),
			fmt.Sprintf("down: redirected to http://127.0.0.1:%d/: connect: refused", gone)},
		{"redirect forever", at("/loop", ""),
			fmt.Sprintf("down: redirected to http://127.0.0.1:%d/loop: status 302, want 2xx", port)},
		{"log-in", then(at("/private/", "Welcome"), login), "up: 200 OK"},
		{"no log-in", at("/private/", "Welcome"), "down: status 401, want 2xx"},
		{"wrong log-in", then(at("/private/", "Welcome"), login, func(s *Spec) { s.HTTPPasswd = "other" }),
			"down: status 401, want 2xx"},
		{"header", then(at("/token", ""), func(s *Spec) { s.HTTPHeaders = checker.ListOf("X-Token: hunter2") }),
			"up: 200 OK"},
		{"no header", at("/token", ""), "down: status 403, want 2xx"},
		{"https", over("/name", " TLSv1.3$"), "up: 200 OK"},
		{"https over IPv6", func(s *Spec) {
			s.Service, s.Target, s.URL = "https", loopback6(secure), fmt.Sprintf("https://%s/",
				loopback6(secure))
		}, "up: 200 OK"},
		{"https by name", then(over("/name", "^www.example.org sni.example.org "),
			func(s *Spec) { s.Host, s.SNI = "www.example.org", "sni.example.org" }), "up: 200 OK"},
		{"https verified", then(over("/", ""), verify), "up: 200 OK"},
		{"https verified by name", then(over("/", ""), verify, func(s *Spec) { s.Host = "localhost" }),
			"up: 200 OK"},
		{"https of another name", then(over("/", ""), verify, func(s *Spec) { s.Host = "www.example.org" }),
			"down: certificate refused: certificate is valid for localhost, not www.example.org"},
		{"https of another authority", then(over("/", ""), verify, func(s *Spec) { s.TLSCA = a.file }),
			"down: certificate refused: certificate signed by unknown authority"},
		{"client certificate", then(over("/director", "CN=director"),
			func(s *Spec) { s.TLSCert, s.TLSKey = ownCert, ownKey }), "up: 200 OK"},
		{"no client certificate", over("/director", ""), "down: status 403, want 2xx"},
		{"only the handshake", then(over("/", ""), verify, func(s *Spec) { s.Service = "tls" }),
			"up: TLS 1.3, certificate of localhost until *"},
		{"https on the port of http", func(s *Spec) { s.URL = fmt.Sprintf("https://%s/", s.Target) },
			"down: TLS handshake: the port does not speak TLS"},
		{"http on the port of https",
			func(s *Spec) {
				s.Target, s.URL = loopback(secure),
					fmt.Sprintf("http://%s/", loopback(secure))
			}, "down: status 400, want 2xx"},
	})
	checkPlugin(t, good, "check_http", `-I {address} -p {port} -u / -s "All good"`, "HTTP OK")
	testkit.OK(t, os.Remove(dir+"/www/index.html"))
	checkCells(t, good, []cell{{"page removed", nil, "down: status 404, want 2xx"}})
	freeze(t, pid)
	good.NegotiateTimeout = tooLate
	checkCells(t, good, []cell{
		{"frozen", nil, "down: no answer in 400ms"},
		{"frozen, https", over("/", ""), "down: timeout in TLS handshake"},
	})
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
		checkCells(t, good, []cell{
			{"good", func(s *Spec) { s.HTTPUser, s.HTTPPasswd = "monitor", "s3cret" }, "up: 200 OK"},
			{"wrong password", func(s *Spec) { s.HTTPUser, s.HTTPPasswd = "monitor", "other" },
				"down: status 401, want 2xx"},
			{"none", nil, "down: status 407, want 2xx"},
		})
	})
	pid := realServer{path: path, args: []string{"-d", "-c", config("")},
		ready: answers(build(t, good, nil))}.start(t)
	checkCells(t, good, []cell{
		{"good", nil, "up: 200 OK"},
		{"good over IPv6", onIPv6, "up: 200 OK"},
		{"wrong answer", receiving("bad"), `down: body does not match /bad/: got "All good"`},
		{"nobody to pass it to", func(s *Spec) { s.URL = fmt.Sprintf("http://127.0.0.1:%d/", gone) },
			"down: status 500, want 2xx"},
		{"nobody is good", func(s *Spec) {
			s.URL, s.Receive, s.HTTPStatus = fmt.Sprintf("http://127.0.0.1:%d/", gone), "", "500"
		}, "up: 500 *"},
	})
	checkStopped(t, pid, good, "down: no answer in 150ms")
}
