package judge

// The weight that a server has in the table has one source. Each part of it is a number that one source leaves of the
// weight that order or file say. The parts are multiplied, and the product is rounded up: only 0 is 0.

// Part is how much of a server's weight one source leaves: Num of Den, which is never 0.
type Part struct{ Num, Den uint64 }

// times is what two sources leave.
func (p Part) times(other Part) Part { return Part{p.Num * other.Num, p.Den * other.Den} }

// of is this part of a weight, rounded up.
func (p Part) of(weight uint32) uint32 { return uint32((uint64(weight)*p.Num + p.Den - 1) / p.Den) }

// weight is the weight that a server gets in the table while it serves.
func (h *hearing) weight(s *Server) uint32 {
	return h.Ramp(s, h.now).times(s.told()).of(s.Weight())
}

// told is the part of its weight that the server itself says it can bear.
func (s *Server) told() Part { return Part{1, 1} }
