package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The first view of 10,000 servers, a thousand of which are down, takes at most 60 times as long as to compress its
// text, which is part of it. Its size is tested where pages are made.
func TestRealPageOfTenThousandServers(t *testing.T) {
	if os.Getenv("REAL_TESTS") == "" {
		t.Skip("takes long: make test-all")
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
	page, zipped := awaitLimit, awaitLimit
	for range 10 {
		began := time.Now()
		_, text := testkit.Fetch(t, "http://"+addr+"/")
		page = min(page, time.Since(began))
		began = time.Now()
		z := gzip.NewWriter(io.Discard)
		io.WriteString(z, text)
		z.Close()
		zipped = min(zipped, time.Since(began))
	}
	if t.Log(page, zipped); page > 60*zipped {
		t.Errorf("the page took %v, to compress its text took %v", page, zipped)
	}
}
