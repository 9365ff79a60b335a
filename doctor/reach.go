package doctor

// Whether real servers answer at the virtual address, where clients reach them.

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"ldirectord/checker"
	"ldirectord/director"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
	"ldirectord/printable"
)

// reachTime is for all real servers that are asked at the virtual address, each of which has probeTime.
const reachTime = 5 * time.Second

// Reach makes a check of a real server through a virtual address once.
type Reach func(context.Context, checker.Spec) (checker.Result, error)

// waysOf are the servers by gate and ipip of a virtual service over TCP, and where one of its addresses reaches each.
func waysOf(s director.Service) (list []checker.Spec) {
	to := asked(s.Config)
	if len(to) == 0 {
		return nil
	}
	for _, m := range s.Members {
		if !isThrough(m) {
			continue
		}
		way := checker.Through{Virtual: to[0].Addr(), Server: m.Dest.Addr.Addr()}
		if s.Config.CheckVIP.IsValid() {
			way.Virtual = s.Config.CheckVIP
		}
		if m.Dest.Forward == ipvsctl.Tunnel {
			way.Tunnel = string(parser.IPIP)
		}
		list = append(list, checker.Spec{
			Type: string(parser.Connect), Protocol: string(parser.TCP), Timeout: probeTime, Attempts: 1,
			Target: netip.AddrPortFrom(way.Server, to[0].Port()), Through: way,
		})
	}
	return list
}

// reachable asks the servers that accept connections at their own addresses. The error says which could not be asked.
func reachable(ctx context.Context, reach Reach, services []director.Service) (map[checker.Spec]checker.Result, error) {
	var ways []checker.Spec
	for _, s := range services {
		ways = append(ways, waysOf(s)...)
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	var (
		mu      sync.Mutex // guards what follows
		work    sync.WaitGroup
		slots   = make(chan struct{}, maxConnections)
		answers = map[checker.Spec]checker.Result{}
		unasked []string
	)
	for _, way := range ways[:min(len(ways), maxQuestions)] {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			r, err := reach(ctx, way)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				unasked = append(unasked, err.Error())
			} else if r.Way == checker.WayVoid && r.OK {
				unasked = append(unasked, r.Warning)
			}
			answers[way] = r
		})
	}
	work.Wait()
	if slices.Sort(unasked); len(unasked) > 0 {
		return answers, fmt.Errorf("%s", strings.Join(slices.Compact(unasked), "; "))
	}
	return answers, nil
}

// reaches: clients that are sent to a server which does not answer at the virtual address get nothing.
func (e *examination) reaches(s director.Service) {
	var silent []checker.Spec
	blocked := cmp.Or(e.settings[vsConntrack], "0") == "0" && e.stateRule != ""
	for _, way := range waysOf(s) {
		r := e.reached[way]
		if !r.OK && r.OwnAnswers {
			silent = append(silent, way)
		}
		if r.Way == checker.WayThrough && r.Cause != checker.Timeout {
			blocked = false // an answer came in
		}
	}
	if blocked && len(silent) > 0 {
		e.report(s, Finding{
			Severity: broken, Kind: "check-firewall", Command: set(vsConntrack, "1"),
			Text: fmt.Sprintf("all servers answer at their own addresses and none at the virtual address %s: the firewall here may drop what conntrack does not know (%s); "+
				"conntrack for IPVS costs speed, a rule that accepts what comes from %[1]s does not", silent[0].Through.Virtual, e.stateRule),
		})
		if len(silent) > 1 {
			return
		}
	}
	for _, way := range silent {
		server := way.Through.Server
		e.report(s, Finding{
			Severity: broken, Kind: "server-vip",
			Text: fmt.Sprintf("real server %s answers at its own address and not at the virtual address %s (%s), so clients that are sent to it get nothing: it lacks the address, or its service does not listen there",
				server, netip.AddrPortFrom(way.Through.Virtual, way.Target.Port()), e.reached[way].Cause),
			Command: e.setUp(server),
		})
	}
}

// setUp is the command that sets a real server up for its virtual addresses.
func (e *examination) setUp(server netip.Addr) string {
	return fmt.Sprintf("ldirectord %s realserver-script %s | ssh root@%s sh -s start", printable.ShellWord(e.path), server, server)
}
