package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The first view of 10,000 servers, a thousand of which are down, takes at most 300 ms. Its size is tested
// where pages are made.
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
	within(t, "page with a thousand servers down", func() bool {
		_, text := testkit.Fetch(t, "http://"+addr+"/")
		return strings.Contains(text, `<b>1000</b> <span class="is">down<`) &&
			strings.Contains(text, `<b>9000</b> <span class="is">up<`)
	})
	least := awaitLimit
	for range 10 {
		began := time.Now()
		testkit.Fetch(t, "http://"+addr+"/")
		least = min(least, time.Since(began))
	}
	if t.Log(least); least > 300*time.Millisecond {
		t.Error(least)
	}
}
