package main

import (
	"testing"

	"ldirectord/internal/testkit"
)

func TestDests(t *testing.T) {
	const table = `-A -t 127.0.0.1:8080 -s wrr
-a -t 127.0.0.1:8080 -r 127.0.0.1:8081 -m -w 1
-a -t 127.0.0.1:8080 -r 127.0.0.1:8082 -g -w 0 -x 9
-A -u 127.0.0.1:8080 -s rr
-a -u 127.0.0.1:8080 -r 127.0.0.1:9000 -m -w 1
-A -t 127.0.0.1:80 -s rr
-a -t 127.0.0.1:80 -r 127.0.0.1:9001 -m -w 1
`
	for virtual, want := range map[string][]dest{
		"127.0.0.1:8080": {{"127.0.0.1:8081", 1}, {"127.0.0.1:8082", 0}}, // in order
		"127.0.0.1:8081": nil,
	} {
		testkit.Same(t, dests(table, virtual), want, virtual)
	}
}

func TestFromProc(t *testing.T) {
	const proc = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  7F000001:1F90 wrr  
  -> 7F000001:1F92      Masq    2      0          4         
  -> C0000214:1F91      Route   0      0          2         
FWM  00000005 wrr 
  -> 7F000001:0050      Local   1      0          0         
TCP  7F000001:1F99 rr 
  -> 7F000001:0051      Masq    1      0          0         
TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0050 rr 
  -> [2001:0db8:0000:0000:0000:0000:0000:0002]:0050 Tunnel 1 0 0
`
	const want = `-A -t 127.0.0.1:8080 -s wrr
-a -t 127.0.0.1:8080 -r 127.0.0.1:8082 -m -w 2
-a -t 127.0.0.1:8080 -r 192.0.2.20:8081 -g -w 0
`
	testkit.Equal(t, fromProc(proc, "127.0.0.1:8080"), want)
	testkit.Equal(t, fromProc(proc, "127.0.0.1:80"), "", "a service that is not there")
}
