package ipvsctl

// Counters are the connections of a destination at one moment (ipvsadm(8), -L: ActiveConn, InActConn and
// --persistent-conn).
type Counters struct {
	Active     uint32 // established TCP connections
	Inactive   uint32 // all others, also UDP
	Persistent uint32 // clients that come back to it
}
