package parser

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MarshalJSON gives the effective configuration under the names of the file: "global" and
// "virtuals", the latter with their "reals". What is not set is null, passwords are included; see WithoutSecrets.
func (c *Config) MarshalJSON() ([]byte, error) {
	out := jsonConfig{Global: c.Global.json(), Virtuals: make([]jsonVirtual, len(c.Virtuals))}
	for i := range c.Virtuals {
		out.Virtuals[i] = c.Virtuals[i].json()
	}
	return json.Marshal(out)
}

type jsonConfig struct {
	Global   jsonGlobal    `json:"global"`
	Virtuals []jsonVirtual `json:"virtuals"`
}

type jsonGlobal struct {
	CheckTimeout              *int64         `json:"checktimeout"`
	NegotiateTimeout          *int64         `json:"negotiatetimeout"`
	EffectiveCheckTimeout     int64          `json:"effective_checktimeout"`
	EffectiveNegotiateTimeout int64          `json:"effective_negotiatetimeout"`
	CheckInterval             int64          `json:"checkinterval"`
	CheckCount                int            `json:"checkcount"`
	FailureCount              int            `json:"failurecount"`
	AutoReload                yesOrNo        `json:"autoreload"`
	Callback                  *text          `json:"callback"`
	Fallback                  *jsonFallbacks `json:"fallback"`
	Fallback6                 *jsonFallbacks `json:"fallback6"`
	FallbackCommand           *text          `json:"fallbackcommand"`
	LogFile                   text           `json:"logfile"`
	Execute                   []text         `json:"execute"`
	EmailAlert                *text          `json:"emailalert"`
	EmailAlertFrom            *text          `json:"emailalertfrom"`
	EmailAlertFreq            int64          `json:"emailalertfreq"`
	EmailAlertStatus          []string       `json:"emailalertstatus"`
	SMTP                      *text          `json:"smtp"`
	Quiescent                 yesOrNo        `json:"quiescent"`
	ReaddQuiescent            yesOrNo        `json:"readdquiescent"`
	CleanStop                 yesOrNo        `json:"cleanstop"`
	MaintenanceDir            *text          `json:"maintenancedir"`
	Supervised                yesOrNo        `json:"supervised"`
	Fork                      yesOrNo        `json:"fork"`

	// Extensions stand there only when they are used.
	Listen      string `json:"listen,omitempty"`
	StatusGroup string `json:"statusgroup,omitempty"`
}

type jsonFallbacks struct {
	TCP jsonFallback `json:"tcp"`
	UDP jsonFallback `json:"udp"`
}

type jsonFallback struct {
	Server  string  `json:"server"`
	Port    *int    `json:"port"`
	Forward Forward `json:"forward"`
	Weight  int     `json:"weight"`
}

type jsonVirtual struct {
	ID               string        `json:"id"`
	Server           *string       `json:"server"`
	Port             int           `json:"port"`
	Protocol         Protocol      `json:"protocol"`
	FWM              *int          `json:"fwm"`
	AddressFamily    string        `json:"addressfamily"`
	Scheduler        text          `json:"scheduler"`
	SchedFlags       *text         `json:"schedflags"`
	Persistent       *int          `json:"persistent"`
	Netmask          *text         `json:"netmask"`
	OPS              yesOrNo       `json:"ops"`
	CheckType        CheckType     `json:"checktype"`
	NumConnects      int           `json:"num_connects"`
	CheckCommand     text          `json:"checkcommand"`
	CheckPort        *int          `json:"checkport"`
	CheckTimeout     int64         `json:"checktimeout"`
	NegotiateTimeout int64         `json:"negotiatetimeout"`
	CheckInterval    int64         `json:"checkinterval"`
	CheckCount       int           `json:"checkcount"`
	FailureCount     int           `json:"failurecount"`
	Service          string        `json:"service"`
	Request          text          `json:"request"`
	Receive          text          `json:"receive"`
	VirtualHost      *text         `json:"virtualhost"`
	HTTPMethod       string        `json:"httpmethod"`
	Login            text          `json:"login"`
	Passwd           text          `json:"passwd"`
	Database         text          `json:"database"`
	Secret           text          `json:"secret"`
	Load             *text         `json:"load"`
	Fallback         *jsonFallback `json:"fallback"`
	FallbackCommand  *text         `json:"fallbackcommand"`
	Quiescent        yesOrNo       `json:"quiescent"`
	CleanStop        yesOrNo       `json:"cleanstop"`
	EmailAlert       *text         `json:"emailalert"`
	EmailAlertFreq   int64         `json:"emailalertfreq"`
	EmailAlertStatus []string      `json:"emailalertstatus"`
	SMTP             *text         `json:"smtp"`
	MonitorFile      *text         `json:"monitorfile"`
	ServiceName      *text         `json:"servicename"`
	Comment          *text         `json:"comment"`
	Own              jsonOwn       `json:"own"`
	IPVSAdm          string        `json:"ipvsadm"`
	Reals            []jsonReal    `json:"reals"`

	// Extensions stand there only when they are used.
	RiseCount      int      `json:"risecount,omitempty"`
	Window         string   `json:"window,omitempty"`
	Repair         yesOrNo  `json:"repair,omitempty"`
	FollowRedirect string   `json:"followredirect,omitempty"`
	SNI            text     `json:"sni,omitempty"`
	OnChange       text     `json:"onchange,omitempty"`
	PEName         string   `json:"pename,omitempty"`
	Mark           []string `json:"mark,omitempty"`

	TLSVerify     yesOrNo    `json:"tlsverify,omitempty"`
	TLSCA         text       `json:"tlsca,omitempty"`
	TLSCert       text       `json:"tlscert,omitempty"`
	TLSKey        text       `json:"tlskey,omitempty"`
	TLSExpiryWarn int        `json:"tlsexpirywarn,omitempty"`
	StartTLS      yesOrNo    `json:"starttls,omitempty"`
	ClearText     yesOrNo    `json:"cleartext,omitempty"`
	HTTPStatus    string     `json:"httpstatus,omitempty"`
	HTTPHeader    []text     `json:"httpheader,omitempty"`
	HTTPUser      text       `json:"httpuser,omitempty"`
	HTTPPasswd    text       `json:"httppasswd,omitempty"`
	Steps         []jsonStep `json:"steps,omitempty"`
	DNSType       string     `json:"dnstype,omitempty"`
	DNSRcode      string     `json:"dnsrcode,omitempty"`
}

// jsonStep has one of the two.
type jsonStep struct {
	Send   text `json:"send,omitempty"`
	Expect text `json:"expect,omitempty"`
}

// jsonOwn is what the section says itself of what could be global.
type jsonOwn struct {
	CheckTimeout     *int64        `json:"checktimeout,omitempty"`
	NegotiateTimeout *int64        `json:"negotiatetimeout,omitempty"`
	CheckInterval    *int64        `json:"checkinterval,omitempty"`
	CheckCount       *int          `json:"checkcount,omitempty"`
	FailureCount     *int          `json:"failurecount,omitempty"`
	Quiescent        yesOrNo       `json:"quiescent,omitempty"`
	CleanStop        yesOrNo       `json:"cleanstop,omitempty"`
	Fallback         *jsonFallback `json:"fallback,omitempty"`
	FallbackCommand  *text         `json:"fallbackcommand,omitempty"`
	EmailAlert       *text         `json:"emailalert,omitempty"`
	EmailAlertFreq   *int64        `json:"emailalertfreq,omitempty"`
	EmailAlertStatus *[]string     `json:"emailalertstatus,omitempty"`
	SMTP             *text         `json:"smtp,omitempty"`
}

type jsonReal struct {
	Server     string  `json:"server"`
	Port       int     `json:"port"`
	Forward    Forward `json:"forward"`
	Weight     int     `json:"weight"`
	Lower      *int    `json:"l-threshold"`
	Upper      *int    `json:"u-threshold"`
	Request    text    `json:"request"`
	Receive    text    `json:"receive"`
	OwnRequest bool    `json:"own_request"`
	CheckPort  *int    `json:"checkport"`
	URL        text    `json:"url"`
}

// yesOrNo is "yes" or "no".
type yesOrNo string

func choose(b bool) yesOrNo {
	if b {
		return "yes"
	}
	return "no"
}

// text is text of the file. Bytes that are no UTF-8 are shown as Latin-1, as the corpus of the
// reference does.
type text string

func (t text) MarshalJSON() ([]byte, error) {
	s := string(t)
	if !utf8.ValidString(s) {
		runes := make([]rune, len(s))
		for i := range len(s) {
			runes[i] = rune(s[i])
		}
		s = string(runes)
	}
	return json.Marshal(s)
}

// given returns a pointer to a value that is set, else nil, which JSON shows as null.
func given[T any](v T, set bool) *T {
	if !set {
		return nil
	}
	return &v
}

func (g *Global) json() jsonGlobal {
	has := func(name string) bool { _, ok := g.At[name]; return ok }
	out := jsonGlobal{
		CheckTimeout:              given(g.times.check, has("checktimeout")),
		NegotiateTimeout:          given(g.times.negotiate, has("negotiatetimeout")),
		EffectiveCheckTimeout:     g.times.check,
		EffectiveNegotiateTimeout: g.times.negotiate,
		CheckInterval:             g.times.interval,
		CheckCount:                g.CheckCount,
		FailureCount:              g.FailureCount,
		AutoReload:                choose(g.AutoReload),
		Callback:                  given(text(g.Callback), has("callback")),
		Fallback:                  g.Fallback.json(),
		Fallback6:                 g.Fallback6.json(),
		FallbackCommand:           given(text(g.FallbackCommand), g.FallbackCommand != ""),
		LogFile:                   text(g.LogFile),
		Execute:                   []text{},
		EmailAlert:                given(text(g.Mail.To), g.Mail.To != ""),
		EmailAlertFrom:            given(text(g.EmailAlertFrom), g.EmailAlertFrom != ""),
		EmailAlertFreq:            g.times.mail,
		EmailAlertStatus:          g.Mail.Status.names(),
		SMTP:                      given(text(g.Mail.SMTP), g.Mail.SMTP != ""),
		Quiescent:                 choose(g.Quiescent),
		ReaddQuiescent:            choose(g.ReaddQuiescent),
		CleanStop:                 choose(g.CleanStop),
		MaintenanceDir:            given(text(g.MaintenanceDir), g.MaintenanceDir != ""),
		Supervised:                choose(g.Supervised),
		Fork:                      choose(g.Fork),
		StatusGroup:               g.StatusGroup,
	}
	if g.Listen.IsValid() {
		out.Listen = g.Listen.String()
	}
	for _, name := range slices.Sorted(slices.Values(g.Execute)) {
		out.Execute = append(out.Execute, text(name))
	}
	return out
}

func (g *GlobalFallback) json() *jsonFallbacks {
	if g == nil {
		return nil
	}
	out := &jsonFallbacks{TCP: *g.TCP.json(), UDP: *g.UDP.json()}
	if !g.HasPort {
		out.TCP.Port, out.UDP.Port = nil, nil
	}
	return out
}

func (f *Fallback) json() *jsonFallback {
	if f == nil {
		return nil
	}
	return &jsonFallback{Server: FormatAddr(f.Addr.Addr()), Port: given(int(f.Addr.Port()), true), Forward: f.Forward, Weight: f.Weight}
}

func (s MailStatus) names() []string {
	names := []string{}
	for i, name := range []string{"starting", "running", "stopping", "reloading"} {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

func (v *Virtual) json() jsonVirtual {
	mark := v.Protocol == FWM
	out := jsonVirtual{
		ID:               v.ID,
		Port:             int(v.Addr.Port()),
		Protocol:         v.Protocol,
		FWM:              given(int(v.Mark), mark),
		AddressFamily:    "inet",
		Scheduler:        text(v.Scheduler),
		SchedFlags:       given(text(v.SchedFlags), v.SchedFlags != ""),
		Persistent:       given(v.Persistent, v.Persistent >= 0),
		Netmask:          given(text(v.Netmask), v.Netmask != ""),
		OPS:              choose(v.OnePacket),
		CheckType:        v.CheckType,
		NumConnects:      v.NumConnects,
		CheckCommand:     text(v.CheckCommand),
		CheckPort:        given(v.CheckPort, v.CheckPort > 0),
		CheckTimeout:     v.times.check,
		NegotiateTimeout: v.times.negotiate,
		CheckInterval:    v.times.interval,
		CheckCount:       v.CheckCount,
		FailureCount:     v.FailureCount,
		Service:          v.Service,
		Request:          text(v.Request),
		Receive:          text(v.Receive),
		VirtualHost:      given(text(v.VirtualHost), v.has("virtualhost")),
		HTTPMethod:       v.HTTPMethod,
		Login:            text(v.Login),
		Passwd:           text(v.Passwd),
		Database:         text(v.Database),
		Secret:           text(v.Secret),
		Load:             given(text(v.Load), v.Load != ""),
		Fallback:         v.Fallback.json(),
		FallbackCommand:  given(text(v.FallbackCommand), v.FallbackCommand != ""),
		Quiescent:        choose(v.Quiescent),
		CleanStop:        choose(v.CleanStop),
		EmailAlert:       given(text(v.Mail.To), v.Mail.To != ""),
		EmailAlertFreq:   v.times.mail,
		EmailAlertStatus: v.Mail.Status.names(),
		SMTP:             given(text(v.Mail.SMTP), v.Mail.SMTP != ""),
		MonitorFile:      given(text(v.MonitorFile), v.MonitorFile != ""),
		ServiceName:      given(text(v.ServiceName), v.has("servicename")),
		Comment:          given(text(v.Comment), v.has("comment")),
		Own:              v.own(),
		IPVSAdm:          v.ipvsadm(),
		Reals:            make([]jsonReal, len(v.Reals)),
		SNI:              text(v.SNI),
		OnChange:         text(v.OnChange),
		PEName:           v.PEName,
		TLSCA:            text(v.TLSCA),
		TLSCert:          text(v.TLSCert),
		TLSKey:           text(v.TLSKey),
		TLSExpiryWarn:    v.TLSExpiryWarn,
		HTTPStatus:       v.HTTPStatus,
		HTTPUser:         text(v.HTTPUser),
		HTTPPasswd:       text(v.HTTPPasswd),
		DNSType:          v.DNSType,
		DNSRcode:         v.DNSRcode,
	}
	if v.IPv6 {
		out.AddressFamily = "inet6"
	}
	if !mark {
		out.Server = given(FormatAddr(v.Addr.Addr()), true)
	}
	for i := range v.Reals {
		out.Reals[i] = v.Reals[i].json()
	}
	v.extensions(&out)
	return out
}

func (v *Virtual) has(directive string) bool {
	_, ok := v.At[directive]
	return ok
}

func (v *Virtual) extensions(out *jsonVirtual) {
	if v.RiseCount != defaultCount {
		out.RiseCount = v.RiseCount
	}
	if v.WindowSize > 0 {
		out.Window = strconv.Itoa(v.WindowNeed) + "/" + strconv.Itoa(v.WindowSize)
	}
	if v.Repair {
		out.Repair = "yes"
	}
	if v.FollowRedirect != defaultFollowRedirect {
		out.FollowRedirect = v.FollowRedirect
	}
	if v.TLSVerify {
		out.TLSVerify = "yes"
	}
	if v.StartTLS {
		out.StartTLS = "yes"
	}
	if v.NoClearText {
		out.ClearText = "no"
	}
	for _, m := range v.Marking {
		out.Mark = append(out.Mark, m.String())
	}
	for _, header := range v.HTTPHeaders {
		out.HTTPHeader = append(out.HTTPHeader, text(header))
	}
	for _, step := range v.Steps {
		out.Steps = append(out.Steps, step.json())
	}
}

func (s Step) json() jsonStep {
	if s.Send {
		return jsonStep{Send: text(s.Text)}
	}
	return jsonStep{Expect: text(s.Text)}
}

func (v *Virtual) own() jsonOwn {
	own := jsonOwn{
		CheckTimeout:     given(v.times.check, v.has("checktimeout")),
		NegotiateTimeout: given(v.times.negotiate, v.has("negotiatetimeout")),
		CheckInterval:    given(v.times.interval, v.has("checkinterval")),
		CheckCount:       given(v.CheckCount, v.has("checkcount")),
		FailureCount:     given(v.FailureCount, v.has("failurecount")),
		FallbackCommand:  given(text(v.FallbackCommand), v.has("fallbackcommand")),
		EmailAlert:       given(text(v.Mail.To), v.has("emailalert")),
		EmailAlertFreq:   given(v.times.mail, v.has("emailalertfreq")),
		EmailAlertStatus: given(v.Mail.Status.names(), v.has("emailalertstatus")),
		SMTP:             given(text(v.Mail.SMTP), v.has("smtp")),
	}
	if v.has("quiescent") {
		own.Quiescent = choose(v.Quiescent)
	}
	if v.has("cleanstop") {
		own.CleanStop = choose(v.CleanStop)
	}
	if v.OwnFallback {
		own.Fallback = v.Fallback.json()
	}
	return own
}

// ipvsadm are the arguments that describe the service to ipvsadm(8), behind -A or -E.
func (v *Virtual) ipvsadm() string {
	var words []string
	switch {
	case v.Protocol == FWM:
		words = append(words, "-f", strconv.FormatUint(uint64(v.Mark), 10))
		if v.IPv6 {
			words = append(words, "-6")
		}
	case v.Protocol == UDP:
		words = append(words, "-u", FormatAddrPort(v.Addr))
	default:
		words = append(words, "-t", FormatAddrPort(v.Addr))
	}
	if v.Protocol == UDP && v.OnePacket {
		words = append(words, "-o")
	}
	words = append(words, "-s", v.Scheduler)
	if v.Persistent >= 0 {
		words = append(words, "-p", strconv.Itoa(v.Persistent))
		if v.Netmask != "" {
			words = append(words, "-M", v.Netmask)
		}
		if v.PEName != "" {
			words = append(words, "--pe", v.PEName)
		}
	}
	if v.SchedFlags != "" {
		words = append(words, "-b", v.SchedFlags)
	}
	return strings.Join(words, " ")
}

func (r *Real) json() jsonReal {
	return jsonReal{
		Server:     FormatAddr(r.Addr.Addr()),
		Port:       int(r.Addr.Port()),
		Forward:    r.Forward,
		Weight:     r.Weight,
		Lower:      given(r.Lower, r.hasLower),
		Upper:      given(r.Upper, r.hasUpper),
		Request:    text(r.Request),
		Receive:    text(r.Receive),
		OwnRequest: r.OwnRequest,
		CheckPort:  given(r.CheckPort, r.CheckPort > 0),
		URL:        text(r.URL),
	}
}
