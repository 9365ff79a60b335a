package main

import (
	"encoding/json"
	"strings"
	"testing"

	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// The JSON object is complete for any length of its lists, empty ones included.
func TestConnectionsAsJSON(t *testing.T) {
	for connections := range 3 {
		for servers := range 3 {
			var text strings.Builder
			named := &plan.Service{Config: &parser.Virtual{}}
			b := &balanced{Service: named, shown: true, servers: make([]serverLine, servers)}
			out := newConnectionPrinter(&text, true, []*balanced{b, {servers: make([]serverLine, 5)}})
			for range connections {
				out.connection(connectionLine{Client: "192.0.2.1:80"})
			}
			out.end(7)
			var got struct {
				Connections, Servers []map[string]any
				Unreadable           int
			}
			if err := json.Unmarshal([]byte(text.String()), &got); err != nil {
				t.Errorf("%d connections, %d servers: %v in\n%s", connections, servers, err,
					text.String())
			}
			if len(got.Connections) != connections || len(got.Servers) != servers || got.Unreadable != 7 {
				t.Errorf("%d connections, %d servers: got %+v", connections, servers, got)
			}
		}
	}
}
