package protocol

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// readyDialogue is the check of a port in the chapter "Ready dialogues" of the documents.
func readyDialogue(t *testing.T, port string) Spec {
	t.Helper()
	text := testkit.Read(t, "../../docs/checks.md")
	_, chapter, _ := strings.Cut(text, "\n## Ready dialogues\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	for _, block := range regexp.MustCompile("(?s)```\n(.*?)```").FindAllStringSubmatch(chapter, -1) {
		cfg, found := parser.Parse(t.Context(), "checks.md", []byte(block[1]), parser.Options{})
		if len(found) > 0 {
			t.Fatal(found)
		}
		if strings.HasSuffix(cfg.Virtuals[0].ID, ":"+port) {
			good := asking(t, "simpletcp", netip.AddrPort{}, "")
			good.Steps = checker.ListOf(cfg.Virtuals[0].Steps...)
			return good
		}
	}
	t.Fatalf("no dialogue for port %s", port)
	return Spec{}
}

// startReady starts a server for a ready dialogue.
func startReady(t *testing.T, port string, server func(port uint16) realServer) (good Spec, pid int) {
	t.Helper()
	good = readyDialogue(t, port)
	good.Target = loopback(freePort(t))
	s := server(good.Target.Port())
	s.ready = accepts(good.Target.Port())
	return good, s.start(t)
}

// playReady plays a ready dialogue with a server. Seen is what the server says.
func playReady(t *testing.T, port, seen string, server func(port uint16) realServer) (good Spec, pid int) {
	t.Helper()
	good, pid = startReady(t, port, server)
	for range 2 {
		expect(t, checked(t, good), "up: "+seen)
	}
	return good, pid
}

func TestRealMosquitto(t *testing.T) {
	path, dir := needProgram(t, "mosquitto", "mosquitto"), serverDir(t)
	configured := func(rest string) func(uint16) realServer {
		return func(port uint16) realServer {
			config := writeFile(t, dir, fmt.Sprint(port),
				fmt.Sprintf("listener %d 127.0.0.1\n%s\n", port, rest))
			return realServer{path: path, args: []string{"-c", config}}
		}
	}
	good, pid := playReady(t, "1883", `got " \x02\x00\x00"`, configured("allow_anonymous true"))
	checkStopped(t, pid, good, `down: step 2: timeout waiting for /^\x20\x02\x00\x00/`)
	locked, _ := startReady(t, "1883", configured("allow_anonymous false"))
	expect(t, checked(t, locked),
		`down: step 2: connection closed waiting for /^\x20\x02\x00\x00/: got " \x02\x00\x05"`)
}

func TestRealGarageMQ(t *testing.T) {
	path, dir := needProgram(t, "garagemq", "garagemq"), serverDir(t)
	good, pid := playReady(t, "5672", `got "\x01\x00\x00*`, func(port uint16) realServer {
		config := writeFile(t, dir, "config.yaml", fmt.Sprintf(`proto: amqp-rabbit
tcp: {ip: 127.0.0.1, port: %d, nodelay: true, readBufSize: 196608, writeBufSize: 196608}
queue: {shardSize: 8192, maxMessagesInRam: 131072}
db: {defaultPath: %s/db, engine: badger}
vhost: {defaultPath: /}
security: {passwordCheck: md5}
connection: {channelsMax: 4096, frameMaxSize: 65536}
admin: {ip: 127.0.0.1, port: %d}
users: [{username: guest, password: 084e0343a0486ff05530df6c705c8bb4}]
`, port, dir, freePort(t)))
		return realServer{path: path, args: []string{"--config", config}}
	})
	checkStopped(t, pid, good, `down: step 2: timeout waiting for /(?s)^\x01\x00\x00.{4}\x00\x0a\x00\x0a/`)
}

func TestRealProsody(t *testing.T) {
	path, dir := needProgram(t, "prosody", "prosody"), serverDir(t)
	good, pid := playReady(t, "5222", `got "<stream:features"`, func(port uint16) realServer {
		give(t, dir, "prosody")
		config := writeFile(t, dir, "prosody.cfg.lua", fmt.Sprintf(`pidfile = "%[1]s/pid"
data_path = "%[1]s"
interfaces = { "127.0.0.1" }
c2s_ports = { %[2]d }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
modules_enabled = { "saslauth" }
modules_disabled = { "s2s" }
VirtualHost "example.com"
`, dir, port))
		return realServer{path: path, args: []string{"-F", "--config", config}, user: "prosody"}
	})
	steps := slices.Collect(good.Steps.All())
	steps[0].Text = strings.Replace(steps[0].Text, "example.com", "example.org", 1)
	other := good
	other.Steps = checker.ListOf(steps...)
	expect(t, checked(t, other), "down: step 2: connection closed waiting for /<stream:features/*")
	checkPlugin(t, good, "check_jabber", "-H {address} -p {port}", "JABBER OK")
	checkStopped(t, pid, good, "down: step 2: timeout waiting for /<stream:features/")
}

func TestRealBeanstalkd(t *testing.T) {
	path := needProgram(t, "beanstalkd", "beanstalkd")
	good, pid := playReady(t, "11300", `got "draining: false"`, func(port uint16) realServer {
		return realServer{path: path, args: []string{"-l", "127.0.0.1", "-p", fmt.Sprint(port)}}
	})
	testkit.OK(t, syscall.Kill(pid, syscall.SIGUSR1)) // drain, see beanstalkd(1)
	draining := good
	soon(&draining)
	expect(t, checked(t, draining), "down: step 2: timeout waiting for /^draining: false$/: got *")
	checkStopped(t, pid, good, "down: step 2: timeout waiting for /^draining: false$/")
}

func TestRealNATS(t *testing.T) {
	path := needProgram(t, "nats-server", "nats-server")
	good, pid := playReady(t, "4222", `got "PONG\r"`, func(port uint16) realServer {
		return realServer{path: path, args: []string{"-a", "127.0.0.1", "-p", fmt.Sprint(port)}}
	})
	checkStopped(t, pid, good, `down: step 1: timeout waiting for /^INFO \{/`)
}
