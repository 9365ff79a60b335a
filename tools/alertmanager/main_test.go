package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// testdata/states has the states that ldirectord posts, one on a line. testdata/alerts has what Alertmanager gets for
// each.
func TestStatesBecomeAlerts(t *testing.T) {
	recorded := testkit.Read(t, "testdata/states")
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var got bytes.Buffer
	for line := range strings.Lines(recorded) {
		var s state
		testkit.OK(t, json.Unmarshal([]byte(line), &s))
		firing, over := alerts(s, "lvs1", now)
		text := testkit.Must(json.MarshalIndent(append(firing, over...), "", " "))(t)
		got.Write(append(text, '\n'))
	}
	testkit.Golden(t, "testdata/alerts", got.String())
}

// Alertmanager gets alerts at once and repeatedly. If that fails, ldirectord gets an error.
func TestAlertmanagerIsTold(t *testing.T) {
	status, told := http.StatusOK, []string{}
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		var all []alert
		if err := json.Unmarshal(text, &all); err != nil || r.URL.Path != "/api/v2/alerts" ||
			r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		for _, a := range all {
			told = append(told,
				a.Labels["alertname"]+map[bool]string{true: " fires",
					false: " is over"}[a.EndsAt.IsZero()])
		}
		w.WriteHeader(status)
	}))
	defer manager.Close()
	b := newBridge(manager.URL+"/", "lvs1")
	b.learned = true
	post := func(text string) int {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, posted(text))
		return w.Code
	}
	const down = `{"virtual":"tcp:192.0.2.10:80","available":false,` +
		`"servers":[{"real":"192.0.2.21:80","state":"down","reason":"refused"}]}`
	for _, step := range []struct {
		text        string
		status      int
		want, again string
		code        int
	}{
		{down, 200, "LdirectordServiceUnavailable fires,LdirectordServerDown fires",
			"LdirectordServiceUnavailable fires,LdirectordServerDown fires", 200},
		{strings.NewReplacer("false", "true", `"down"`, `"up"`).Replace(down), 200,
			"LdirectordServiceUnavailable is over,LdirectordServerDown is over", "", 200},
		{down, 500, "LdirectordServiceUnavailable fires,LdirectordServerDown fires",
			"LdirectordServiceUnavailable fires,LdirectordServerDown fires", 502},
		{"nonsense", 200, "", "LdirectordServiceUnavailable fires,LdirectordServerDown fires", 400},
		{"{}", 200, "", "LdirectordServiceUnavailable fires,LdirectordServerDown fires", 400},
	} {
		status, told = step.status, nil
		if code := post(step.text); code != step.code || strings.Join(told, ",") != step.want {
			t.Errorf("%s: status %d, told %q", step.text, code, told)
		}
		told = nil
		b.again(t.Context())
		if strings.Join(told, ",") != step.again {
			t.Errorf("%s: told again %q", step.text, told)
		}
	}
}

// Alerts that fired before the bridge started are sent again until a state of their service comes. Those that this
// state does not have any more are resolved.
func TestWhatFiredBeforeIsToldAgain(t *testing.T) {
	const known = `[
		{"labels":{"alertname":"LdirectordServerDown","virtual":"tcp:192.0.2.10:80","real":"192.0.2.29:80"}},
		{"labels":{"alertname":"LdirectordServerDown","virtual":"tcp:192.0.2.11:80","real":"192.0.2.21:80"},
			"endsAt":"2026-11-21T12:00:00Z"},
		{"labels":{"alertname":"SomebodyElse","virtual":"tcp:192.0.2.12:80"}}]`
	status, told := http.StatusServiceUnavailable, []string{}
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			told = append(told, "asked for "+r.URL.Query().Get("filter"))
			w.WriteHeader(status)
			fmt.Fprint(w, known)
			return
		}
		var all []alert
		if err := json.NewDecoder(r.Body).Decode(&all); err != nil {
			t.Error(err)
		}
		for _, a := range all {
			told = append(told,
				a.Labels["virtual"]+" "+a.Labels["real"]+map[bool]string{true: " fires",
					false: " is over"}[a.EndsAt.IsZero()])
		}
	}))
	defer manager.Close()
	b := newBridge(manager.URL, `lvs"1`)
	again := func() { b.again(t.Context()) }
	state := func(virtual, servers string) func() {
		return func() {
			text := `{"virtual":"` + virtual + `","available":true,"servers":[` + servers + `]}`
			b.ServeHTTP(httptest.NewRecorder(), posted(text))
		}
	}
	const asked = `asked for instance="lvs\"1"`
	for i, step := range []struct {
		do     func()
		status int
		want   string
	}{
		{again, 503, asked},
		{state("tcp:192.0.2.11:80", ""), 503, "tcp:192.0.2.11:80  is over"},
		{again, 200, asked + ",tcp:192.0.2.10:80 192.0.2.29:80 fires"},
		{again, 200, "tcp:192.0.2.10:80 192.0.2.29:80 fires"},
		{state("tcp:192.0.2.10:80", `{"real":"192.0.2.21:80","state":"down"}`), 200,
			"tcp:192.0.2.10:80 192.0.2.21:80 fires,tcp:192.0.2.10:80  is over,tcp:192.0.2.10:80 " +
				"192.0.2.29:80 is over"},
		{state("tcp:192.0.2.10:80", ""), 200,
			"tcp:192.0.2.10:80  is over,tcp:192.0.2.10:80 192.0.2.21:80 is over"},
		{again, 200, ""},
	} {
		status, told = step.status, nil
		if step.do(); strings.Join(told, ",") != step.want {
			t.Errorf("step %d: told %q, want %q", i, told, step.want)
		}
	}
}

// posted is a request as ldirectord posts it.
func posted(text string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(text))
	r.Host = "127.0.0.1:9098"
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	return r
}

// A web page in a browser can post neither JSON nor to this Host.
func TestWhoMayPost(t *testing.T) {
	manager := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer manager.Close()
	b := newBridge(manager.URL, "lvs1", "Director", "lvs.example")
	for _, c := range []struct {
		method, kind, host string
		want               int
	}{
		{"POST", "application/json", "127.0.0.1", 200}, {"POST", "application/json", "[::1]:9098", 200},
		{"POST", "application/json", "localhost:9098", 200}, {"POST", "application/json", "director", 200},
		{"POST", "application/json", "LVS.example:9098", 200},
		{"POST", "application/json", "evil.example", 421},
		{"POST", "application/json", "127.0.0.1.evil.example", 421}, {"POST", "application/json", "", 421},
		{"POST", "text/plain", "127.0.0.1", 415}, {"POST", "", "127.0.0.1", 415},
		{"POST", "application/x-www-form-urlencoded", "127.0.0.1", 415},
		{"GET", "application/json", "127.0.0.1", 405},
	} {
		r := posted(`{"virtual":"tcp:192.0.2.10:80","available":true}`)
		r.Method, r.Host = c.method, c.host
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		if b.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}

// States of invented services need limited memory, and a healthy service needs none.
func TestStatesAreBounded(t *testing.T) {
	manager := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer manager.Close()
	b := newBridge(manager.URL, "lvs1")
	b.learned = true
	post := func(virtual, more string) int {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, posted(`{"virtual":"`+virtual+`",`+more+`}`))
		return w.Code
	}
	if code := post("large", `"reason":"`+strings.Repeat("r", maxText)+`"`); code != http.StatusBadRequest {
		t.Errorf("a large state: %d", code)
	}
	post("long", `"reason":"`+strings.Repeat("r", maxText/2)+`"`)
	if a := b.firing["long"]; len(a) != 1 || len(a[0].Annotations["description"]) != maxWord {
		t.Errorf("%d alerts are kept of a long reason", len(a))
	}
	down := strings.Repeat(`{"real":"a","state":"down"},`, 3000)
	servers := `"servers":[` + strings.TrimSuffix(down, ",") + `]`
	for i := range 10 {
		code := post(fmt.Sprint("service", i), servers)
		if fits := i < 6; fits != (code == http.StatusOK) {
			t.Errorf("service %d: %d", i, code)
		}
	}
	for i := range 6 {
		post(fmt.Sprint("service", i), `"available":true`)
	}
	if post("long", `"available":true`); len(b.firing) != 0 {
		t.Errorf("%d services are kept", len(b.firing))
	}
}

// A state that waits for a slow Alertmanager delays no other service. The states of one service are sent one after
// the other.
func TestASlowAlertmanagerDelaysNoOtherService(t *testing.T) {
	asked, answer := make(chan string), make(chan bool)
	manager := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var all []alert
		_ = json.NewDecoder(r.Body).Decode(&all)
		asked <- all[0].Labels["virtual"]
		<-answer
	}))
	defer manager.Close()
	b := newBridge(manager.URL, "lvs1")
	b.learned = true
	ended := make(chan int)
	post := func(virtual string) {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, posted(`{"virtual":"`+virtual+`"}`))
		ended <- w.Code
	}
	go post("a")
	first := <-asked
	go post("a")
	go post("b")
	if second := <-asked; first != "a" || second != "b" {
		t.Errorf("asked for %s, then %s", first, second)
	}
	answer <- true
	answer <- true
	if third := <-asked; third != "a" {
		t.Errorf("at last for %s", third)
	}
	answer <- true
	for range 3 {
		if code := <-ended; code != http.StatusOK {
			t.Errorf("status %d", code)
		}
	}
}
