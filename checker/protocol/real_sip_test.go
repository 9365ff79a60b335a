package protocol

import (
	"fmt"
	"path/filepath"
	"testing"
)

func TestRealKamailio(t *testing.T) {
	path := needProgram(t, "kamailio", "kamailio")
	dir, port := serverDir(t), freePort(t)
	config := writeFile(t, dir, "kamailio.cfg", fmt.Sprintf(`#!KAMAILIO
debug=1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:127.0.0.1:%[1]d
listen=tcp:127.0.0.1:%[1]d
listen=udp:[::1]:%[1]d
listen=tcp:[::1]:%[1]d
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
request_route {
	if (!is_method("OPTIONS")) {
		sl_send_reply("405", "Method Not Allowed");
		exit;
	}
	if ($rU != "monitor") {
		sl_send_reply("404", "Not Found");
		exit;
	}
	sl_send_reply("100", "Trying");
	sl_send_reply("200", "OK");
}
`, port))
	good := asking(t, "sip", loopback(port), "protocol=udp; login=monitor@example.net")
	pid := realServer{path: path, args: []string{"-DD", "-E", "-m", "16", "-M", "4", "-Y", dir, "-P",
		filepath.Join(dir, "pid"), "-f", config}}.answering(t, good)
	checkReal(t, "kamailio", good)
	freeze(t, pid)
	checkReal(t, "kamailio frozen", good)
}
