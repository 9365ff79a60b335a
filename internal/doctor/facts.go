package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"time"

	"ldirectord/checker/icmp"
	"ldirectord/checker/settings"
	"ldirectord/internal/announce"
	"ldirectord/internal/fwmark"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/notify/mail"
	"ldirectord/internal/plan"
	"ldirectord/internal/runfile"
	"ldirectord/ipvsctl"
)

const (
	probeTime      = time.Second     // the time limit of network probes; twice as long through a virtual address
	programTime    = 5 * time.Second // the time limit of all programs that list rules
	maxQuestions   = 1024            // the most network probes of each kind
	maxConnections = 100             // the most fallback servers that are tried at the same time
)

// facts is the input of an examination. All facts are gathered first, so that the examination depends on nothing else.
type facts struct {
	services []*plan.Service   // of the configuration
	root     string            // of /proc; "" except in tests
	settings map[string]string // settings of the kernel (sysctl(8)), without missing ones
	devices  []device
	routes   map[routeQuery]route
	modules  kernelModules
	noIPVS   Finding // zero if the kernel has IPVS
	// whether ip_vs_ftp, which the kernel does not load by itself, is loaded
	ftpLoaded  bool
	idle       lvs.Timeouts             // in the kernel; zero if they are not known
	ordered    lvs.Timeouts             // in the file
	listening  listeners                // nil if unknown
	neighbours neighbours               // the hardware addresses that answer for an address on the network
	refused    map[netip.AddrPort]error // fallback servers that accept no connection
	reached    Reached
	noPing     bool            // this program may not send pings
	noMail     bool            // there is a shell but no mail program
	nat        string          // a rule that translates the sources of packets, "" for none
	marks      *fwmark.Machine // the rules that set and use marks; nil if not read
	// for each address family (true is IPv6), the reason why marks can't be set; a zero Finding if they can be
	unsettable map[bool]Finding
	daemon     Daemon
	private    []uint32         // marks of the table's private services
	faults     []announce.Fault // faults of devices and announced addresses
	announcer  bool             // a routing daemon runs
	routers    []netip.Addr     // the routers with BGP sessions
	gauges     []gauge
	drops      drops

	looked []string
	unread []string // the failed probes, with reasons
}

// routeQuery is the input of a route look-up.
type routeQuery struct {
	to   netip.Addr
	mark uint32
}

// gather collects the facts that can be found without asking other machines or running other programs.
func gather(ctx context.Context, services []*plan.Service, own Daemon) facts {
	f := facts{
		services: services, daemon: own, modules: modulesHere(),
		settings: map[string]string{}, routes: map[routeQuery]route{},
		looked: []string{"addresses", "routes", "kernel settings", "modules"},
	}
	f.findPrivate()
	var err error
	if own.Table != nil {
		f.noIPVS = withoutIPVS(ctx, f.modules, own.Table)
		if runfile.Exists("/proc/net/ip_vs") {
			f.idle, err = own.Table.Timeouts(ctx, lvs.Timeouts{})
			own.Table.Close()
			f.note("timeouts of IPVS", err)
		}
	}
	if f.devices, err = devicesHere(); err != nil {
		f.miss("%v", err)
	}
	if slices.ContainsFunc(services, isAnnounced) {
		f.announcer = announcerRuns()
		f.routers, err = routersHere()
		f.note("routing daemons", err)
	}
	f.findRoutes()
	f.readSettings(f.everySetting())
	if own.Table != nil {
		f.readGauges()
		f.drops.during = "since the boot"
	}
	f.noPing = slices.ContainsFunc(services, func(s *plan.Service) bool { return pingAt(s).Line > 0 }) &&
		!mayPing(ctx)
	_, noShell := exec.LookPath(notify.Shell("")[0])
	f.noMail = noShell == nil && !mail.HasProgram()
	// a built-in module shows only if it has parameters, as this one does
	f.ftpLoaded = runfile.Exists("/sys/module/" + ftpModule)
	return f
}

// findPrivate finds all private services in the kernel's table. Only checks through virtual addresses use them.
func (f *facts) findPrivate() {
	f.eachInTable(func(line string) {
		var mark uint32
		if _, err := fmt.Sscanf(line, "FWM %X rr ops", &mark); err == nil && mark >= ipvsctl.FirstPrivate &&
			mark <= ipvsctl.LastPrivate {
			f.private = append(f.private, mark)
		}
	})
}

// mayPing tests, with a ping to the machine itself, whether this program may send pings.
func mayPing(ctx context.Context) bool {
	p := icmp.NewPinger()
	defer p.Close()
	_, err := p.Ping(ctx, netip.MustParseAddr("127.0.0.1"), settings.Path{}, probeTime)
	return !errors.Is(err, icmp.ErrDenied)
}

const ftpModule = "ip_vs_ftp"

func (f *facts) findRoutes() {
	queries := routeQueries(f.services)
	for _, r := range f.routers {
		queries = append(queries, routeQuery{to: r})
	}
	for _, q := range queries {
		if _, known := f.routes[q]; known {
			continue
		}
		found, err := askRoute(q, f.devices)
		if err != nil {
			f.miss("%v", err)
			return
		}
		f.routes[q] = found
	}
}

// routeQueries returns the queries for the routes to virtual services, to their servers and to clients.
func routeQueries(services []*plan.Service) []routeQuery {
	var list []routeQuery
	for _, s := range services {
		for _, p := range s.Config.Addresses() {
			list = append(list, routeQuery{p.Addr(), s.Config.Mark})
		}
		if vip := s.Config.CheckVIP; vip.IsValid() {
			list = append(list, routeQuery{to: vip})
		}
		for _, m := range s.Entries {
			list = append(list, routeQuery{to: addressOf(m)})
		}
		list = append(list, routeQuery{to: client()}, routeQuery{client(), s.Config.Mark})
		if s.Config.IPv6 {
			list = append(list, routeQuery{to: client6()})
		}
	}
	return list
}

func addressOf(m *plan.Entry) netip.Addr { return m.Dest.Addr.Addr() }

func isMasq(m *plan.Entry) bool { return m.Dest.Forward == lvs.Masq }

// route returns the route of packets without a mark to an address. If it is unknown or there is none, it is zero.
func (f *facts) route(to netip.Addr) route { return f.routes[routeQuery{to: to}] }

// routeTo returns the route to a server.
func (f *facts) routeTo(m *plan.Entry) route {
	addr := addressOf(m)
	r := f.route(addr)
	r.local = r.local || addr.IsLoopback()
	return r
}

// The settings that doctor reads. Those without dots are settings of a device, see ofDevice.
const (
	forward4       = "net.ipv4.ip_forward"
	forward6       = "net.ipv6.conf.all.forwarding"
	expireTemplate = "net.ipv4.vs.expire_quiescent_template"
	expireNoDest   = "net.ipv4.vs.expire_nodest_conn"
	connReuse      = "net.ipv4.vs.conn_reuse_mode"
	sloppyTCP      = "net.ipv4.vs.sloppy_tcp"
	vsConntrack    = "net.ipv4.vs.conntrack"
	estimation     = "net.ipv4.vs.run_estimation"       // since Linux 5.15
	connections    = "net.netfilter.nf_conntrack_count" // 0 if no rule needs conntrack
	trackable      = "net.netfilter.nf_conntrack_max"
	neighbours4    = "net.ipv4.neigh.default.gc_thresh3"
	neighbours6    = "net.ipv6.neigh.default.gc_thresh3"
	arpIgnore      = "arp_ignore"
	reversePath    = "rp_filter"
	acceptLocal    = "accept_local"
	forwards       = "forwarding"
	srcValidMark   = "src_valid_mark"
	maxSetting     = 4 << 10 // the maximum size of a setting's text, in bytes
)

// everySetting returns the names of all settings that an examination uses.
func (f *facts) everySetting() []string {
	if !runfile.Exists("/proc/sys/net/ipv4/vs") {
		f.miss("settings of IPVS: the module ip_vs is not loaded")
	}
	names := []string{forward4, forward6, expireTemplate, expireNoDest, connReuse, sloppyTCP, vsConntrack,
		connections, estimation, trackable, neighbours4, neighbours6}
	all := device{Interface: net.Interface{Name: "all"}}
	for _, d := range append(f.devices, all) {
		for _, name := range []string{arpIgnore, reversePath, acceptLocal, forwards, srcValidMark} {
			names = append(names, ofDevice(d.Name, name))
		}
		names = append(names, acceptRA(d.Name))
	}
	return names
}

func (f *facts) readSettings(names []string) {
	for _, name := range names {
		text, err := runfile.ReadFile(f.root+"/proc/sys/"+inProc.Replace(name), maxSetting)
		switch {
		case err == nil:
			f.settings[name] = strings.TrimSpace(string(text))
		case !errors.Is(err, fs.ErrNotExist): // a missing setting is not an error
			f.miss("%v", err)
		}
	}
}

// inProc turns the name of a setting into its path below /proc/sys.
var inProc = strings.NewReplacer(".", "/", "/", ".")

// ofDevice returns the name of a setting of a device. As in sysctl(8), a dot in the device's name becomes a slash.
func ofDevice(device, name string) string {
	return "net.ipv4.conf." + strings.ReplaceAll(device, ".", "/") + "." + name
}

// acceptRA returns the name of a device's setting for router advertisements.
func acceptRA(device string) string {
	return "net.ipv6.conf." + strings.ReplaceAll(device, ".", "/") + ".accept_ra"
}

// deviceSetting returns the value that the kernel uses for a device. It is the device's own value or the value for all
// devices, whichever is larger.
func (f *facts) deviceSetting(device, name string) string {
	return max(f.settings[ofDevice(device, name)], f.settings[ofDevice("all", name)])
}
