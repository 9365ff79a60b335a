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

// Without statuspage the addresses of the page are unknown, for every method. A reload adds and removes the page.
func TestThePageIsThereWhenAskedFor(t *testing.T) {
	addr := testkit.FreeAddr(t).String()
	off := "listen = " + addr + "\n" + twoServers
	d := launched(t, "start", off)
	testkit.Fetch(t, "http://"+addr+"/healthz")
	expect := func(method, host, path string, want int, has string) {
		t.Helper()
		r := testkit.Must(http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, nil))(t)
		r.Host = host
		client := &http.Client{Timeout: awaitLimit, Transport: &http.Transport{DisableKeepAlives: true}}
		answer := testkit.Must(client.Do(r))(t)
		defer answer.Body.Close()
		var text strings.Builder
		testkit.OK(t, answer.Write(&text))
		if answer.StatusCode != want || !strings.Contains(text.String(), has) {
			t.Errorf("%s %s of %q: %s\nwant %d, %q", method, path, host, text.String(), want, has)
		}
	}
	absent := func() {
		t.Helper()
		for _, path := range []string{"/", "/status.json", "/why.json", "/favicon.ico"} {
			for _, method := range []string{"GET", "HEAD", "POST"} {
				expect(method, "x.example", path, 404, "Content-Type: text/plain; charset=utf-8\r\n")
			}
		}
	}
	absent()
	d.write("statuspage = yes\nstatushost = x.example\n" + off)
	d.tell("reload")
	expect("GET", addr, "/", 200, `data-is="2 of 2 up"`)
	expect("GET", "X.example:80", "/status.json", 200, `"real":"10.2.0.2:7000"`)
	expect("GET", addr, "/why.json", 400, "which server?")
	expect("GET", addr, "/why.json?real=10.2.0.2:7000", 200, `"virtual":"tcp:10.1.0.1:7000","real":"10.2.0.2:7000"`)
	expect("GET", addr, "/?virtual=tcp:10.1.0.1:7000&real=10.2.0.2:7000", 200, "What happened")
	expect("GET", addr, "/why.json?real=10.2.0.99:7000", 404, `"servers":[]`)
	expect("GET", addr, "/?virtual=tcp:10.1.0.1:7000&real=10.2.0.99:7000", 404, "There is no server 10.2.0.99:7000")
	expect("GET", "y.example", "/", 421, "statushost")
	expect("GET", "y.example", "/healthz", 200, "ok")
	expect("GET", "y.example", "/metrics", 200, "ldirectord_server_up")
	expect("POST", addr, "/", 404, "")
	expect("GET", addr, "/index.html", 404, "")
	d.write("statuspage = yes\n" + off)
	d.tell("reload")
	expect("GET", "x.example", "/", 421, "statushost")
	d.write(off)
	d.tell("reload")
	absent()
}

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
