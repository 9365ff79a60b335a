package judge

import "math/bits"

// An order or the file sets the weight of a server, and several causes may reduce it in the table. Each cause leaves a
// Part of it. The parts are multiplied, and the product is rounded up: only 0 becomes 0.

// Part is the fraction of a server's weight that one cause leaves, Num divided by Den. Den is never 0.
type Part struct{ Num, Den uint64 }

// times returns the part that two causes leave together.
func (p Part) times(other Part) Part { return Part{p.Num * other.Num, p.Den * other.Den} }

// of returns this part of a number, rounded down, and the remainder of the division.
func (p Part) of(n uint32) (whole, rest uint64) {
	hi, lo := bits.Mul64(uint64(n), p.Num)
	return bits.Div64(hi, lo, p.Den)
}

// roundedUp returns this part of a weight, rounded up.
func (p Part) roundedUp(weight uint32) uint32 {
	whole, rest := p.of(weight)
	return uint32(whole + min(rest, 1))
}

var weightKind = Kind{Name: "weightless", Trouble: Noted, Says: func(v View) string {
	addr := v.One.Dest.Addr
	if v.One.Weight() > 0 || !v.One.IsUp() || v.One.Held || v.ByHand[addr] && v.Have.Weight(addr) > 0 {
		return ""
	}
	return "weight 0 in the file: it gets no new clients"
}}

// weight returns the weight that a server gets in the table while it serves.
func (p *proposal) weight(s *Server) uint32 {
	return p.Seen(s, p.now).share().times(s.reported()).roundedUp(s.Weight())
}
