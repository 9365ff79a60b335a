package parser

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"ldirectord/internal/lvs"
)

// own lists the values that may differ between directors with the same behaviour: names and paths of the machine,
// comments, names of blocks, and positions in the file.
var own = []string{"listen", "statushost", "emailalertfrom", "logfile", "include", "comment", "own", "from", "use",
	"checkdef"}

// Sum returns a hash of the effective configuration, as 16 hexadecimal digits. Directors with the same sum make the
// same decisions. The text of passwords and log-ins does not affect the sum. If a server has a name, the sum contains
// its name and not its address. Sum needs the positions in At.
func (c *Config) Sum() string {
	h := sha256.New()
	to := json.NewEncoder(h)
	c = c.WithoutSecrets()
	global := common(c.global(), &c.Global.Settings)
	for _, name := range []string{"checktimeout", "negotiatetimeout"} {
		delete(global, name) // the sections have their effective values
	}
	_ = to.Encode(global) // JSON of the parser can't fail
	for _, v := range c.Virtuals {
		one := *v
		one.Reals = nil // their JSON takes long
		_ = to.Encode(common(c.virtual(&one), &v.Settings))
		var line []byte
		for i := range v.Reals {
			line = c.appendSum(line[:0], &v.Reals[i])
			h.Write(line)
		}
		for _, w := range v.Waiting {
			fmt.Fprintln(h, "waits", w.Name)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// appendSum appends the properties of a server that affect the sum to a line.
func (c *Config) appendSum(line []byte, r *Real) []byte {
	if r.Named != nil {
		line = append(line, r.Named.Host...)
	} else {
		line = r.Addr.Addr().AppendTo(line)
	}
	for _, n := range []int{int(r.Addr.Port()), int(r.Forward), r.Weight, r.Lower, r.Upper} {
		line = strconv.AppendInt(append(line, ' '), int64(n), 10)
	}
	line = strconv.AppendBool(append(line, ' '), r.Backup)
	line = strconv.AppendQuote(append(line, ' '), string(r.Tags))
	line = strconv.AppendBool(line, r.Comeback == lvs.ByOrder)
	if r.Own != nil {
		line = strconv.AppendQuote(strconv.AppendQuote(line, string(c.text(r.Own.Request))), r.Own.Receive)
	}
	return append(line, '\n')
}

// common removes values that may differ between directors. It also removes default log-ins, because they may contain
// the host name.
func common(o jsonObject, at *Settings) jsonObject {
	for _, name := range own {
		delete(o, name)
	}
	for _, d := range directives {
		if d.Secret && !at.has(d.Name) {
			delete(o, d.Name)
		}
	}
	return o
}
