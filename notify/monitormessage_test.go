package notify

import "testing"

// The wanted ids are those of the reference's get_real_id_str as it writes them to a monitorfile.
func TestMonitorID(t *testing.T) {
	id := MonitorID{Check: "connect", Protocol: "tcp", Server: "10.2.0.1", Port: "7000", Weight: "1", Forward: "gate", Request: "/"}
	v6 := id
	v6.Server = "[fd00::1]"
	full := id
	full.Check, full.VirtualHost, full.CheckPort = "negotiate:http", "www.example.net", "81"
	full.Request, full.Receive = "/a::b c", `:x\d:`
	mark := id
	mark.Check, mark.Protocol, mark.Port = "external:/bin/ch::eck", "fwm", "0"
	for _, c := range []struct {
		id   MonitorID
		want string
	}{
		{id, "connect tcp 10.2.0.1 7000 1 gate / "},
		{v6, "connect tcp [fd00 1] 7000 1 gate / "},
		{full, "negotiate http tcp 10.2.0.1 7000 www.example.net 81 1 gate /a  b c  xd "},
		{mark, "external /bin/ch eck fwm 10.2.0.1 0 1 gate / "},
	} {
		if got := c.id.String(); got != c.want {
			t.Errorf("%+v is %q, want %q", c.id, got, c.want)
		}
	}
}

func TestMonitorMessage(t *testing.T) {
	const up, down = true, false
	for _, c := range []struct {
		kind   string
		up     bool
		detail string
		said   string
		want   string
		line   bool
	}{
		{"http", up, "200 OK", "", "200 OK", true},
		{"http", up, "connected", "", "", true},
		{"https", down, "status 503, want 2xx", "503 Gone fishing", "503 Gone fishing", true},
		{"http", down, `body does not match /ok/: got "so"`, "so\ndown \"now\"", "so\ndown \"now\"", true},
		{"http", down, "connect: refused", "", "500 connect: refused", true},
		{"http", down, "no answer in 5s", "", "500 no answer in 5s", true},
		{"dns", up, "www.example.net is 192.0.2.1", "", "Success", true},
		{"dns", down, "www.example.net does not match /x/: got 192.0.2.1", "", "Response mismatch", true},
		{"dns", down, "receive is empty: no answer can match it", "", "Response mismatch", true},
		{"dns", down, "NXDOMAIN for www.example.net", "", "Connection timed out", true},
		{"dns", down, "no answer in 5s", "", "Connection timed out", true},
		{"ldap", up, `entry "dc=x"`, "", "Success", true},
		{"ldap", down, "connect: refused", "", "Connection failed", true},
		{"ldaps", down, "timeout in TLS handshake", "", "Connection failed", true},
		{"ldap", down, "login rejected: invalid credentials", "", "Bind failed", true},
		{"ldap", down, "the entry's name does not match /x/: got \"y\"", "", "Response mismatch", true},
		{"ldap", down, "search of \"dc=x\": no entry", "", "No answer received", true},
		{"connect", up, "connected", "", "", true},
		{"connect", down, "connect: refused", "", "", true},
		{"smtp", down, "greeting: 554", "", "", true},
		{"external", down, "exit status 1", "", "", true},
		{"ping", up, "echo reply after 1ms", "", "", true},
		{"ping", down, "ping: no answer in 1s", "", "", false},
		{"external-perl", up, "", "", "", false},
		{"on", up, "checktype on", "", "", false},
		{"off", down, "checktype off", "", "", false},
	} {
		if got, line := MonitorMessage(c.kind, c.up, c.detail, c.said); got != c.want || line != c.line {
			t.Errorf("%s, up %v, %q: %q, %v; want %q, %v", c.kind, c.up, c.detail, got, line, c.want, c.line)
		}
	}
}
