package parser

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ldirectord/internal/lvs"
)

// MarshalJSON returns the effective configuration as an object with "global" and "virtuals". Each virtual has its
// "reals". Values have the names of their directives. Unset values are null, except that unused extensions are left
// out. The object contains passwords, see WithoutSecrets.
func (c *Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonObject{"global": c.global(), "virtuals": each(c.Virtuals, c.virtual)})
}

// each applies a function to each item of a list, and returns the results. The result for an empty list is not nil.
func each[T, R any](list []T, of func(T) R) []R {
	all := make([]R, len(list))
	for i, one := range list {
		all[i] = of(one)
	}
	return all
}

type jsonObject map[string]any

// addAll adds the values of directives under their names. Extensions appear only if they are used.
func (c *Config) addAll(o jsonObject, of any, at *Settings) {
	for _, d := range directives {
		field, ok := d.field(of)
		if !ok {
			continue
		}
		value := field.Interface()
		shown, written := c.value(value), at.has(d.Name)
		none := d.Default == "" && field.IsZero()
		switch {
		case d.Extension && (none || fmt.Sprint(shown) == d.Default):
			continue
		case none && !d.is("shown-empty") && !(written && d.is("shown-written")):
			shown = nil
		case d.Secret && written && c.hidesSecrets:
			shown = c.value(withoutSecret(value))
		}
		o[d.Name] = shown
	}
}

// value converts a value for JSON. For example, it converts a bool to yes or no, and a string to text.
func (c *Config) value(value any) any {
	switch value := value.(type) {
	case bool:
		if value {
			return "yes"
		}
		return "no"
	case string:
		return text(value)
	case time.Duration:
		return value.Seconds()
	case fmt.Stringer:
		return value.String()
	case []AlsoCheck:
		return each(value, func(one AlsoCheck) text { return c.text(one.Written) })
	case []string:
		return each(value, func(one string) text { return text(one) })
	}
	return value
}

// text is a text from the file. Invalid UTF-8 is shown as Latin-1, as in testdata/parser/corpus.
type text string

func (t text) MarshalJSON() ([]byte, error) {
	s := string(t)
	if !utf8.ValidString(s) {
		var b strings.Builder
		for _, c := range []byte(s) {
			b.WriteRune(rune(c))
		}
		s = b.String()
	}
	return json.Marshal(s)
}

// orNull returns a value, or null if it is not set.
func orNull(value any, set bool) any {
	if !set {
		return nil
	}
	return value
}

// text converts text that may contain a URL. It hides the URL's log-in if secrets are hidden.
func (c *Config) text(t string) text {
	if c.hidesSecrets {
		t = login.ReplaceAllLiteralString(t, "://"+hidden+"@")
	}
	return text(t)
}

func (c *Config) global() jsonObject {
	g := &c.Global
	o := jsonObject{"fallback": g.Fallback.json(), "fallback6": g.Fallback6.json()}
	c.addAll(o, g, &g.Settings)
	o["execute"] = c.value(slices.Sorted(slices.Values(g.Execute)))
	for _, name := range []string{"checktimeout", "negotiatetimeout"} {
		o["effective_"+name] = o[name]
		if !g.has(name) {
			o[name] = nil
		}
	}
	return o
}

func (g *GlobalFallback) json() any {
	if g == nil {
		return nil
	}
	tcp, udp := g.TCP.json(), g.UDP.json()
	if !g.HasPort {
		tcp["port"], udp["port"] = nil, nil
	}
	return jsonObject{"tcp": tcp, "udp": udp}
}

// json returns the address, port, forwarding method and weight of a server.
func (r Real) json() jsonObject {
	return jsonObject{"server": lvs.FormatAddr(r.Addr.Addr()), "port": r.Addr.Port(), "forward": r.Forward.String(),
		"weight": r.Weight}
}

func (c *Config) virtual(v *Virtual) jsonObject {
	o := jsonObject{
		"id": v.ID, "server": orNull(lvs.FormatAddr(v.Addr.Addr()), v.Mark == 0), "port": v.Addr.Port(),
		"fwm": orNull(v.Mark, v.Mark > 0), "addressfamily": "inet", "num_connects": v.NumConnects,
		"fallback": nil, "own": c.ownValues(v), "ipvsadm": v.ipvsadm(),
	}
	if v.IPv6 {
		o["addressfamily"] = "inet6"
	}
	o["reals"] = each(v.Reals, func(r Real) jsonObject { return c.real(v, &r) })
	if len(v.blockNames()) > 0 {
		o["from"] = c.from(v)
	}
	if v.Steps != nil {
		o["steps"] = each(v.Steps, stepJSON)
	}
	fallbacks := each(v.AllFallbacks, Real.json)
	if len(fallbacks) > 0 {
		o["fallback"] = fallbacks[0]
	}
	if len(fallbacks) > 1 {
		o["alsofallback"] = fallbacks[1:]
	}
	if v.CheckName != "" {
		o["checkdef"] = v.CheckName
	}
	c.addAll(o, v, &v.Settings)
	o["request"] = c.text(v.Request)
	return o
}

// ownValues returns the section's own values of directives that may be global, except for extensions.
func (c *Config) ownValues(v *Virtual) jsonObject {
	own := jsonObject{}
	for name := range v.At {
		d := byName[name]
		if field, ok := d.field(v); ok && d.Global() && !d.Extension {
			own[name] = c.value(field.Interface())
		}
	}
	if v.HasOwnFallback() {
		own["fallback"] = v.AllFallbacks[0].json()
	}
	return own
}

// ipvsadm returns the arguments for ipvsadm(8) that describe the service and follow -A or -E.
func (v *Virtual) ipvsadm() string {
	text := v.Key.String()
	if v.Protocol == lvs.UDP && v.OnePacket {
		text += " -o"
	}
	text += " -s " + v.Scheduler
	if v.Persistent > 0 {
		text += " -p " + strconv.Itoa(v.Persistent)
		if v.Netmask != (Netmask{}) {
			text += " -M " + v.Netmask.String()
		}
		if v.PEName != "" {
			text += " --pe " + v.PEName
		}
	}
	if v.SchedFlags != "" {
		text += " -b " + v.SchedFlags
	}
	return text
}

func (c *Config) real(v *Virtual, r *Real) jsonObject {
	request, receive := v.Asks(r)
	port := v.PortOf(r)
	o := jsonObject{
		"l-threshold": orNull(r.Lower, r.hasLower),
		"u-threshold": orNull(r.Upper, r.hasUpper),
		"request":     c.text(request),
		"receive":     text(receive),
		"own_request": r.Own != nil,
		"checkport":   orNull(port, port > 0),
		"url":         c.text(v.URL(r)),
	}
	maps.Copy(o, r.json())
	if r.Backup {
		o["backup"] = true
	}
	if r.Tags != "" {
		o["tags"] = r.Tags
	}
	if r.Comeback == lvs.ByOrder {
		o["comeback"] = r.Comeback.String()
	}
	return o
}
