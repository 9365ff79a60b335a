package protocol

import (
	"testing"

	"ldirectord/checker/settings"
)

func TestPOP(t *testing.T) {
	const greeting = "+OK ready"
	pop := Spec{Service: "pop"}
	user := Spec{Service: "pop", Account: settings.Account{Login: "monitor", Passwd: `pass "word"`}}
	named := steps("< "+greeting, "> USER monitor", "< +OK")
	passed := steps(named, `> PASS pass "word"`)
	quit := steps("> QUIT", "< +OK bye")
	checkFakes(t, nil, append(greetingCases(pop, "POP", greeting), []fakeCase{
		{"good", user, steps(passed, "< +OK logged in", quit), "up: +OK logged in"},
		{"good without a log-in", pop, steps("< "+greeting, quit), "up: " + greeting},
		{"not ready", pop, steps("< -ERR try later", quit), "down: greeting: -ERR try later"},
		{"wrong user", user, steps("< "+greeting, "> USER monitor", "< -ERR who?", quit),
			"down: login rejected: -ERR who?"},
		{"wrong password", user, steps(passed, "< -ERR [AUTH] failed", quit),
			"down: login rejected: -ERR [AUTH] failed"},
		{"repeats the password", user, steps(passed, `< -ERR no user has pass "word" here`, quit),
			"down: login rejected: -ERR no user has … here"},
		{"echoes", user, steps(passed, `< PASS pass "word"`, awaitAll("")), `down: not POP: "PASS …"`},
		{"slow drip in the middle", late(user), steps(passed, drip("+OK logged in at last")),
			"down: timeout in the answer to PASS"},
		{"reset in the middle", user, steps(passed, reset),
			"down: connection reset waiting for the answer to PASS"},
		{"closed in the middle", user, named[:2], "down: connection closed waiting for the answer to USER"},
		{"endless line in the middle", user, steps(passed, endless("+OK ")),
			"down: a line of more than 4096 bytes in the answer to PASS"},
	}...))
}

func TestPOPS(t *testing.T) {
	const greeting = "+OK ready"
	secure := serverTLS(t)
	pops := Spec{Service: "pops", Account: settings.Account{Login: "monitor", Passwd: "password"},
		Host: "mail.example.org"}
	quit := steps("> QUIT", "< +OK bye")
	passed := steps("< "+greeting, "> USER monitor", "< +OK", "> PASS password")
	checkFakes(t, secure, append(greetingCases(pops, "POP", greeting), []fakeCase{
		{"good", pops, steps(passed, "< +OK in", quit), "up: +OK in"},
		{"wrong password", pops, steps(passed, "< -ERR no", quit), "down: login rejected: -ERR no"},
	}...))
	checkFakes(t, expectName(t, "mail.example.org"),
		[]fakeCase{{"server name is virtualhost", pops, steps(passed, "< +OK in", quit), "up: +OK in"}})
	checkFakes(t, oldTLS(t), []fakeCase{{"old TLS", pops, steps(passed, "< +OK in", quit), "up: +OK in"}})
}
