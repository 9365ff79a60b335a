package protocol

import (
	"fmt"
	"testing"
)

func TestRealFreeRADIUS(t *testing.T) {
	path := needProgram(t, "freeradius", "freeradius")
	dir, port := serverDir(t), freePort(t)
	users := writeFile(t, dir, "users", `monitor Cleartext-Password := "password"
DEFAULT Auth-Type := Reject
	Reply-Message := "nobody of us"
`)
	writeFile(t, dir, "radiusd.conf", fmt.Sprintf(`
prefix = /usr
libdir = /usr/lib/freeradius
run_dir = %[1]s
db_dir = %[1]s
log {
	destination = stdout
}
security {
	max_attributes = 200
	reject_delay = 0
	status_server = yes
}
client director {
	ipaddr = 127.0.0.1
	secret = shared
	require_message_authenticator = yes
}
client director6 {
	ipv6addr = ::1
	secret = shared
	require_message_authenticator = yes
}
modules {
	pap {
	}
	files {
		filename = %[2]s
	}
}
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = %[3]d
	}
	listen {
		type = auth
		ipv6addr = ::1
		port = %[3]d
	}
	authorize {
		files
		pap
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
	}
}
`, dir, users, port))
	good := asking(t, "radius", loopback(port), "protocol=udp; login=monitor; passwd=password; secret=shared")
	pid := realServer{path: path, args: []string{"-f", "-l", "stdout", "-n", "radiusd", "-d", dir, "-D",
		"/usr/share/freeradius"}}.answering(t, good)
	checkReal(t, "freeradius", good)
	freeze(t, pid)
	checkReal(t, "freeradius frozen", good)
}
