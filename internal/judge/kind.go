package judge

import (
	"slices"
	"time"
)

// Kind describes a kind of condition: how it is shown and reported, and how it affects the rules. A condition is a
// reason why a server is not simply in the table with its weight from the file. Fields that do not apply to a kind are
// nil.
type Kind struct {
	Name    string // in JSON, metrics and docs
	Trouble Trouble
	Says    func(View) string // the sentence about a server with this condition; "" for others
	// Share returns the part of a server's weight that remains under the condition. The text that Says returns then
	// becomes part of the sentence about the weight.
	Share func(View) Part
	// keeps reports whether a server that is down has weight 0 in the table, and whether the condition decides
	// that.
	keeps func(p *proposal, s *Server) (stays, decides bool)
	// delays reports whether a server that checks took out may have to wait before it comes back.
	delays func(*Section, *Server) bool

	// Count returns how often the condition has begun, or 0 while it does not apply. Begins is reported when Count
	// rises, Ends when it becomes 0.
	Count        func(View) int
	Begins, Ends func(View) Notice
	OfSection    bool // the condition is the section's, and One is nil
	// Holds returns the directive that holds the server in service, with its value; "" if none does.
	Holds func(View) string
}

// Kinds lists the kinds of conditions in the order in which they are shown.
var Kinds = []Kind{
	paceKind,
	holddownKind,
	comebackKind,
	observeKind,
	onfailKind,
	guardKind,
	paceoutKind,
	movedKind,
	backupKind,
	backedKind,
	weightKind,
	slowstartKind,
}

// sharing lists the kinds that leave a server only a part of its weight.
var sharing = slices.DeleteFunc(slices.Clone(Kinds), func(k Kind) bool { return k.Share == nil })

// View is a server of a section at one moment. Without a server, it is the section itself.
type View struct {
	*Case
	One *Server
	Now time.Time
}

// Seen returns the view of a server of the case at a given time. Without a server, it returns the view of the section.
func (c *Case) Seen(one *Server, now time.Time) View { return View{c, one, now} }

// left returns the time left until a given time, rounded to seconds.
func (v View) left(until time.Time) time.Duration { return max(0, until.Sub(v.Now)).Round(time.Second) }

// share returns the part of the server's weight that remains under all conditions together.
func (v View) share() Part {
	p := Part{1, 1}
	for i := range sharing { // copying each would be most of the work
		p = p.times(sharing[i].Share(v))
	}
	return p
}

// Lessens returns the sentences about the conditions that leave the server a part of its weight.
func (v View) Lessens() (list []string) {
	for i := range sharing {
		if says := sharing[i].Says(v); says != "" {
			list = append(list, says)
		}
	}
	return list
}

// Moves reports whether the weight of the server changes as time passes.
func (v View) Moves() bool {
	for i := range sharing {
		if sharing[i].Count(v) > 0 {
			return true
		}
	}
	return false
}

// HeldBy returns the directive that holds the server in service, with its value; "" if none does.
func (v View) HeldBy() string {
	for _, k := range Kinds {
		if k.Holds != nil && k.Holds(v) != "" {
			return k.Holds(v)
		}
	}
	return ""
}

// Notice is a report about a server or a section.
type Notice struct {
	Event string // its kind, see package notify
	What  string // before the name of the server or the section
	More  string // after it
}

// Trouble tells how much attention a condition needs.
type Trouble uint8

// These are the levels of trouble, the least first.
const (
	Fine   Trouble = iota
	Noted          // the operator intends it
	Doubt          // there is reason to doubt the server, or nothing is known
	Broken         // a server is down, or clients may get no answers
)

var troubles = [...]string{"fine", "noted", "doubt", "broken"}

func (t Trouble) String() string { return troubles[t] }

// MarshalText implements encoding.TextMarshaler.
func (t Trouble) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. A level that is unknown because another version wrote it becomes
// Noted.
func (t *Trouble) UnmarshalText(text []byte) error {
	*t = Noted
	if i := slices.Index(troubles[:], string(text)); i >= 0 {
		*t = Trouble(i)
	}
	return nil
}
