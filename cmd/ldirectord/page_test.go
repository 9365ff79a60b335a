package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The first view of 10,000 servers, a thousand of which are down, takes at most 300 ms and 60 kB.
func TestRealPageOfTenThousandServers(t *testing.T) {
	if os.Getenv("REAL_TESTS") == "" {
		t.Skip("measures the time, which needs a quiet machine: make test-all")
	}
	addr := testkit.FreeAddr(t).String()
	var config strings.Builder
	fmt.Fprintf(&config, "listen = %s\nstatuspage = yes\ncheckinterval = 3600\nchecktimeout = 1\n", addr)
	for i := range 2500 {
		kind := map[bool]string{true: "connect", false: "on"}[i%10 == 0]
		fmt.Fprintf(&config, "virtual = 10.1.%d.%d:80\n\tchecktype = %s\n\tservicename = shop %d\n", i/250,
			i%250, kind, i)
		for k := range 4 {
			fmt.Fprintf(&config, "\treal = 127.%d.%d.%d:9 masq\n", i/250, i%250, k+1)
		}
	}
	launched(t, "start", config.String())
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: awaitLimit, Transport: transport}
	get := func() (took time.Duration, text []byte) {
		began := time.Now()
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "gzip")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if text, err = io.ReadAll(answer.Body); err != nil {
			t.Fatal(err)
		}
		return time.Since(began), text
	}
	within(t, "page with a thousand servers down", func() bool {
		_, text := testkit.Fetch(t, "http://"+addr+"/")
		return strings.Contains(text, `<b>1000</b> <span class="is">down<`) &&
			strings.Contains(text, `<b>9000</b> <span class="is">up<`)
	})
	least, text := get()
	for range 9 {
		took, _ := get()
		least = min(least, took)
	}
	if t.Logf("%v, %d bytes", least, len(text)); least > 300*time.Millisecond || len(text) > 60_000 {
		t.Errorf("%v, %d bytes", least, len(text))
	}
}
