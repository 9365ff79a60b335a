package status

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

const prometheusLimit = 30 * time.Second // for its start, for scrapes and for evaluations

// A real Prometheus with the example configuration reads the metrics and notices failures.
func TestRealPrometheusScrapesAndAlerts(t *testing.T) {
	if os.Getenv("REAL_TESTS") == "" {
		t.Skip("needs a real server: make test-all")
	}
	path := testkit.Program(t, "prometheus", "prometheus")
	now := observed(t)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", MetricsType)
		WriteMetrics(w, now, process())
	}))
	defer target.Close()

	dir := t.TempDir()
	config := bytes.ReplaceAll(read(t, examples+"prometheus.yml"), []byte("director1.example.com:9797"),
		[]byte(target.Listener.Addr().String()))
	config = append(config, "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"...)
	for name, text := range map[string][]byte{"prometheus.yml": config,
		"ldirectord.rules.yml": read(t, examples+"ldirectord.rules.yml")} {
		testkit.Write(t, filepath.Join(dir, name), string(text))
	}
	var metrics bytes.Buffer
	WriteMetrics(&metrics, now, process())
	servers := strings.Count(metrics.String(), "\nldirectord_server_up{")
	addr := testkit.FreeAddr(t).String()
	ctx, end := context.WithTimeout(t.Context(), 2*prometheusLimit)
	defer end()
	cmd := exec.CommandContext(ctx, path, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	testkit.OK(t, cmd.Start())
	defer func() { end(); cmd.Wait() }()
	for query, want := range map[string]string{
		`count_over_time(ldirectord_standby[1m]) > 2`:            `"value"`, // enough for a rate
		`up{instance="` + target.Listener.Addr().String() + `"}`: `"1"]`,
		`count(ldirectord_server_up)`: fmt.Sprintf(
			`"%d"]`, servers),
		`ALERTS{alertname="LdirectordVirtualDown",virtual="tcp:192.0.2.11:443"}`:    `"1"]`,
		`ALERTS{alertname="LdirectordTableNotWritten",virtual="tcp:192.0.2.12:25"}`: `"1"]`,
		`ldirectord_check_duration_seconds_bucket{virtual="tcp:192.0.2.10:80",le="+Inf"} > ` +
			`10`: `"tcp:192.0.2.10:80"`,
	} {
		got := ""
		testkit.Until(t, prometheusLimit, func() bool {
			got = answerOf(t, addr, query)
			return strings.Contains(got, want)
		}, query, "has another answer than", want, func() string { return got + log.String() })
	}
	answerPanels(t, addr)
}

// answerOf is what Prometheus answers to a query.
func answerOf(t *testing.T, addr, query string) string {
	t.Helper()
	_, text := testkit.Fetch(t, "http://"+addr+"/api/v1/query?query="+url.QueryEscape(query))
	return text
}

// answerPanels sends each query of the dashboard, as Grafana does for all directors and virtual services. Each has an
// answer, except those about failures that did not happen.
func answerPanels(t *testing.T, addr string) {
	t.Helper()
	empty := map[string]bool{"What went wrong, in an hour": true, "Went down or came back, in an hour": true}
	asked := 0
	for _, panel := range panels(t) {
		for _, target := range panel.Targets {
			query := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$virtual",
				".*").Replace(target.Expr)
			got := answerOf(t, addr, query)
			if asked++; !strings.Contains(got, `"status":"success"`) ||
				strings.Contains(got, `"result":[]`) && !empty[panel.Title] ||
				strings.Contains(query, "$") {
				t.Errorf("%s: %s: %s", panel.Title, query, got)
			}
		}
	}
	if asked < 20 {
		t.Errorf("the dashboard has %d queries", asked)
	}
}

// panel is a panel of the dashboard.
type panel struct {
	ID          int
	Type, Title string
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ Expr string }
	Datasource  struct{ UID string }
}

func panels(t *testing.T) []panel {
	t.Helper()
	var form struct {
		Title      string
		Templating struct{ List []struct{ Name, Type string } }
		Panels     []panel
	}
	testkit.OK(t, json.Unmarshal(read(t, dashboard), &form))
	if variables := form.Templating.List; form.Title != "ldirectord" || len(variables) != 3 ||
		variables[0].Name != "datasource" || variables[0].Type != "datasource" {
		t.Errorf("%s with the variables %v", form.Title, variables)
	}
	return form.Panels
}

// Panels don't overlap, and have the data source that is chosen at the import.
func TestTheDashboardsPanels(t *testing.T) {
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range panels(t) {
		if ids[p.ID] || p.Title == "" || p.Type != "row" &&
			(p.Datasource.UID != "${datasource}" || len(p.Targets) == 0) {
			t.Errorf("panel %d: %s", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" || at[0] >= 24 {
					t.Fatalf("%s is where %q is", p.Title, taken[at])
				}
				taken[at] = p.Title
			}
		}
	}
}
