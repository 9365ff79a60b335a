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

	"ldirectord/internal/testkit"
)

// testdata/states has the states that ldirectord posts, one on a line. testdata/alerts has what Alertmanager gets for
// each.
func TestStatesBecomeAlerts(t *testing.T) {
	recorded := testkit.Read(t, "testdata/states")
	now := testkit.Time("2026-11-21T12:00:00Z")
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

// manager is an Alertmanager for one goroutine. It answers with a status, and keeps what it was told and asked.
type manager struct {
	t      *testing.T
	status int
	knows  string // the answer when it is asked
	told   []string
}

func (m *manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var all []alert
	switch {
	case r.URL.Path != "/api/v2/alerts" || r.Header.Get("Content-Type") != "application/json":
		m.t.Error(r.Method, r.URL, r.Header)
	case r.Method == http.MethodGet:
		m.told = append(m.told, "asked for "+r.URL.Query().Get("filter"))
	default:
		if err := json.NewDecoder(r.Body).Decode(&all); err != nil {
			m.t.Error(err)
		}
	}
	for _, a := range all {
		name := strings.TrimPrefix(a.Labels["alertname"], "Ldirectord") + " " + a.Labels["virtual"]
		m.told = append(m.told, strings.TrimSpace(name+" "+a.Labels["real"])+
			map[bool]string{true: " fires", false: " is over"}[a.EndsAt.IsZero()])
	}
	w.WriteHeader(m.status)
	io.WriteString(w, m.knows)
}

// expects makes the manager answer with a status, does something, and compares what the manager was told.
func (m *manager) expects(status int, want, about string, do func()) {
	m.t.Helper()
	m.status, m.told = status, nil
	do()
	testkit.Equal(m.t, strings.Join(m.told, ", "), want, about, "told")
}

// bridged is such an Alertmanager with a bridge to it.
func bridged(t *testing.T, director string) (*manager, *bridge) {
	m := &manager{t: t, status: http.StatusOK}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	return m, newBridge(server.URL+"/", director, "Director", "lvs.example")
}

// answer is the status with which a state is answered.
func (b *bridge) answer(text string) int {
	w := httptest.NewRecorder()
	b.ServeHTTP(w, posted(text))
	return w.Code
}

// Alertmanager gets alerts at once and repeatedly. If that fails, ldirectord gets an error.
func TestAlertmanagerIsTold(t *testing.T) {
	m, b := bridged(t, "lvs1")
	b.learned = true
	const (
		down = `{"virtual":"tcp:192.0.2.10:80","available":false,` +
			`"servers":[{"real":"192.0.2.21:80","state":"down","reason":"refused"}]}`
		fires = "ServiceUnavailable tcp:192.0.2.10:80 fires, ServerDown tcp:192.0.2.10:80 192.0.2.21:80 fires"
	)
	for _, step := range []struct {
		text        string
		status      int
		want, again string
		code        int
	}{
		{down, 200, fires, fires, 200},
		{strings.NewReplacer("false", "true", `"down"`, `"up"`).Replace(down), 200,
			strings.ReplaceAll(fires, "fires", "is over"), "", 200},
		{down, 500, fires, fires, 502},
		{"nonsense", 200, "", fires, 400},
		{"{}", 200, "", fires, 400},
	} {
		m.expects(step.status, step.want, step.text,
			func() { testkit.Equal(t, b.answer(step.text), step.code, step.text) })
		m.expects(step.status, step.again, "again", func() { b.again(t.Context()) })
	}
}

// Alerts that fired before the bridge started are sent again until a state of their service comes. Those that this
// state does not have any more are resolved.
func TestWhatFiredBeforeIsToldAgain(t *testing.T) {
	m, b := bridged(t, `lvs"1`)
	m.knows = `[
		{"labels":{"alertname":"LdirectordServerDown","virtual":"tcp:192.0.2.10:80","real":"192.0.2.29:80"}},
		{"labels":{"alertname":"LdirectordServerDown","virtual":"tcp:192.0.2.11:80","real":"192.0.2.21:80"},
			"endsAt":"2026-11-21T12:00:00Z"},
		{"labels":{"alertname":"SomebodyElse","virtual":"tcp:192.0.2.12:80"}}]`
	again := func() { b.again(t.Context()) }
	state := func(virtual, servers string) func() {
		return func() { b.answer(`{"virtual":"` + virtual + `","available":true,"servers":[` + servers + `]}`) }
	}
	const asked, before = `asked for instance="lvs\"1"`, "ServerDown tcp:192.0.2.10:80 192.0.2.29:80"
	for i, step := range []struct {
		do     func()
		status int
		want   string
	}{
		{again, 503, asked},
		{state("tcp:192.0.2.11:80", ""), 503, "ServiceUnavailable tcp:192.0.2.11:80 is over"},
		{again, 200, asked + ", " + before + " fires"},
		{again, 200, before + " fires"},
		{state("tcp:192.0.2.10:80", `{"real":"192.0.2.21:80","state":"down"}`), 200,
			"ServerDown tcp:192.0.2.10:80 192.0.2.21:80 fires, " +
				"ServiceUnavailable tcp:192.0.2.10:80 is over, " + before + " is over"},
		{state("tcp:192.0.2.10:80", ""), 200, "ServiceUnavailable tcp:192.0.2.10:80 is over, " +
			"ServerDown tcp:192.0.2.10:80 192.0.2.21:80 is over"},
		{again, 200, ""},
	} {
		m.expects(step.status, step.want, fmt.Sprint("step ", i), step.do)
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
	_, b := bridged(t, "lvs1")
	for _, row := range testkit.Table(t, "testdata/posts", 3) {
		r := posted(`{"virtual":"tcp:192.0.2.10:80","available":true}`)
		r.Host = row[0]
		if row[2] != "" {
			method, kind, _ := strings.Cut(row[2], " ")
			r.Method = method
			r.Header.Set("Content-Type", kind)
		}
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		testkit.Equal(t, fmt.Sprint(w.Code), row[1], row, w.Body)
	}
}

// States of invented services need limited memory, and a healthy service needs none.
func TestStatesAreBounded(t *testing.T) {
	_, b := bridged(t, "lvs1")
	b.learned = true
	post := func(virtual, more string) int { return b.answer(`{"virtual":"` + virtual + `",` + more + `}`) }
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
	post := func(virtual string) { ended <- b.answer(`{"virtual":"` + virtual + `"}`) }
	go post("a")
	first := <-asked
	go post("a")
	go post("b")
	if second := <-asked; first != "a" || second != "b" {
		t.Errorf("asked for %s, then %s", first, second)
	}
	answer <- true
	answer <- true
	testkit.Equal(t, <-asked, "a", "at last for")
	answer <- true
	for range 3 {
		testkit.Equal(t, <-ended, http.StatusOK, "the status")
	}
}
