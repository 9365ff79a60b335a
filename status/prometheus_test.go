package status

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const prometheusLimit = 30 * time.Second // for it to start, to scrape and to evaluate

// Prometheus itself, set up as the examples say, reads the metrics and sees what is down.
func TestRealPrometheusScrapesAndAlerts(t *testing.T) {
	if os.Getenv("REAL_TESTS") == "" {
		t.Skip("needs a real server: make test-all")
	}
	path := needProgram(t, "prometheus", "prometheus")
	now := observed(t)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", MetricsType)
		WriteMetrics(w, now, process())
	}))
	defer target.Close()

	dir := t.TempDir()
	config := bytes.ReplaceAll(read(t, examples+"prometheus.yml"), []byte("director1.example.com:9797"), []byte(target.Listener.Addr().String()))
	config = append(config, "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"...)
	for name, text := range map[string][]byte{"prometheus.yml": config, "ldirectord.rules.yml": read(t, examples+"ldirectord.rules.yml")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var metrics bytes.Buffer
	WriteMetrics(&metrics, now, process())
	servers := strings.Count(metrics.String(), "\nldirectord_server_up{")
	addr := freeAddr(t)
	ctx, end := context.WithTimeout(t.Context(), 2*prometheusLimit)
	defer end()
	cmd := exec.CommandContext(ctx, path, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	missing := awaitAnswers(addr, map[string]string{
		`up{instance="` + target.Listener.Addr().String() + `"}`:                               `"1"]`,
		`count(ldirectord_server_up)`:                                                          fmt.Sprintf(`"%d"]`, servers),
		`ALERTS{alertname="LdirectordVirtualDown",virtual="tcp:192.0.2.11:443"}`:               `"1"]`,
		`ALERTS{alertname="LdirectordTableNotWritten",virtual="tcp:192.0.2.12:25"}`:            `"1"]`,
		`ldirectord_check_duration_seconds_bucket{virtual="tcp:192.0.2.10:80",le="+Inf"} > 10`: `"tcp:192.0.2.10:80"`,
	})
	end()
	cmd.Wait()
	if missing != "" {
		t.Errorf("%s\n%s", missing, log.Bytes())
	}
}

// awaitAnswers asks Prometheus until each query has its answer. It returns one that has not, or "".
func awaitAnswers(addr string, queries map[string]string) (missing string) {
	client := &http.Client{Timeout: prometheusLimit}
	for end := time.Now().Add(prometheusLimit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		missing = ""
		for query, want := range queries {
			if got := answerOf(client, addr, query); !strings.Contains(got, want) {
				missing = fmt.Sprintf("%s: %s, want %s", query, got, want)
			}
		}
		if missing == "" {
			return ""
		}
	}
	return missing
}

func answerOf(client *http.Client, addr, query string) string {
	answer, err := client.PostForm("http://"+addr+"/api/v1/query", map[string][]string{"query": {query}})
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// freeAddr is an address of loopback at which nobody listens at the moment.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
