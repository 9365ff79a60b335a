package checker

import (
	"net/http"
	"testing"
)

func TestAFailureNamesItsStage(t *testing.T) {
	pop := Spec{Service: "pop", Login: "monitor", Passwd: "secret"}
	secured := Spec{Service: "pop", StartTLS: true}
	page := "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
	for name, c := range map[string]struct {
		spec   Spec
		server []step // nil: nothing listens
		want   Stage
	}{
		"nothing to ask":       {Spec{Service: "radius"}, nil, AtStart},
		"refused":              {pop, nil, AtConnect},
		"no TLS":               {Spec{Service: "tls"}, []step{say("+OK ready"), silent}, AtTLS},
		"no STARTTLS":          {secured, []step{say("+OK ready"), hear("STLS"), say("-ERR"), silent}, AtTLS},
		"not ready":            {pop, []step{say("-ERR"), silent}, AtAnswer},
		"silent in the log-in": {pop, []step{say("+OK ready"), silent}, AtLogin},
		"wrong user":           {pop, []step{say("+OK ready"), hear("USER monitor"), say("-ERR"), silent}, AtLogin},
		"log-in of a library":  {Spec{Service: "redis", Passwd: "secret"}, []step{say("-WRONGPASS no"), silent}, AtLogin},
		"query of a library":   {Spec{Service: "redis"}, []step{say("-LOADING wait"), silent}, AtAnswer},
		"status":               {Spec{Service: "http", URL: "http://x/"}, []step{raw("HTTP/1.0 503 No\r\n\r\n")}, AtAnswer},
		"no match":             {Spec{Service: "http", URL: "http://x/", Receive: "right"}, []step{raw(page), silent}, AtMatch},
		"dns without receive":  {Spec{Service: "dns", Request: "/name"}, nil, AtMatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.spec
			s.Type, s.Target, s.NegotiateTimeout = "negotiate", closedPort(t, "127.0.0.1"), tooLate
			if c.server != nil {
				s.Target = serveScript(t, "127.0.0.1", nil, c.server...)
			}
			if s.URL != "" {
				s.URL = "http://" + s.Target.String() + "/"
			}
			if r := build(t, s, nil).Check(t.Context()); r.OK || r.Stage != c.want {
				t.Errorf("stage %d, want %d: %+v", r.Stage, c.want, r)
			}
		})
	}
}

// Who writes a monitorfile tells a connect between two full checks from those by its stage.
func TestASuccessNamesHowFarItWent(t *testing.T) {
	addr := serveHTTP(t, nil, http.NotFound)
	s := httpSpec(addr, "")
	s.Type, s.Connects, s.Timeout = "combined", 1, patient
	s.HTTPStatus = statusList("404")
	c := build(t, s, nil)
	for _, want := range []Stage{AtMatch, AtConnect} {
		if r := c.Check(t.Context()); !r.OK || r.Stage != want {
			t.Errorf("stage %d, want %d: %+v", r.Stage, want, r)
		}
	}
}
