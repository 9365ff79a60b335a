package judge

import "time"

// Ramp is the part of its weight that a server has while it climbs by slowstart.
func (c *Section) Ramp(s *Server, now time.Time) Part { return Part{1, 1} }
