package protocol

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// innd answers at the port itself, and passes readers to another program. It doesn't start without a history file.
func TestRealINN(t *testing.T) {
	path := needProgram(t, "/usr/lib/news/bin/innd", "inn2")
	dir, port := serverDir(t), freePort(t)
	for _, folder := range []string{"etc", "db", "run", "log", "tmp", "spool/articles", "spool/overview",
		"spool/incoming", "spool/outgoing", "spool/archive"} {
		writeFile(t, dir, folder+"/none", "")
	}
	config := writeFile(t, dir, "etc/inn.conf", fmt.Sprintf(`
mta: "/bin/true %%s"
organization: test
ovmethod: tradindexed
hismethod: hisv6
pathhost: news.example.test
domain: example.test
pathnews: /usr/lib/news
pathbin: /usr/lib/news/bin
pathdb: %[1]s/db
pathetc: %[1]s/etc
pathrun: %[1]s/run
pathlog: %[1]s/log
pathtmp: %[1]s/tmp
pathspool: %[1]s/spool
noreader: false
wireformat: true
`, dir))
	writeFile(t, dir, "etc/storage.conf", "method tradspool {\n newsgroups: *\n class: 0\n}\n")
	writeFile(t, dir, "etc/newsfeeds", "ME:!*::\n")
	writeFile(t, dir, "etc/incoming.conf", "peer ME {\n hostname: localhost\n}\n")
	writeFile(t, dir, "etc/control.ctl", "all:*:*:drop\n")
	writeFile(t, dir, "etc/expire.ctl", "/remember/:11\n*:A:1:10:never\n")
	writeFile(t, dir, "etc/readers.conf",
		"auth all {\n hosts: *\n default: <user>\n}\naccess all {\n users: <user>\n newsgroups: *\n}\n")
	writeFile(t, dir, "db/active", "control 0000000000 0000000001 n\ncontrol.cancel 0000000000 0000000001 n\n"+
		"junk 0000000000 0000000001 n\n")
	writeFile(t, dir, "db/newsgroups", "")
	writeFile(t, dir, "db/active.times", "")
	give(t, dir, "news")
	env := []string{"INNCONF=" + config}
	good := asking(t, "nntp", loopback(port), "")
	makeHistory(t, env)
	pid := realServer{path: path,
		args: []string{"-d", "-f", "-P", fmt.Sprint(port), "-4", "127.0.0.1", "-6", "::1"},
		env:  env, user: "news"}.answering(t, good)
	checkReal(t, "innd", good)
	checkPlugin(t, good, "check_nntp", "-H {address} -p {port}", "NNTP OK")
	checkStopped(t, pid, good, "down: timeout waiting for the greeting")
}

func makeHistory(t *testing.T, env []string) {
	t.Helper()
	ctx := testkit.Within(t, 30*time.Second)
	cmd := exec.CommandContext(ctx, "/usr/lib/news/bin/makehistory", "-O", "-I")
	realServer{env: env, user: "news"}.as(t, cmd)
	testkit.Run(t, cmd)
}
