package ipvsctl

// Connections are what a destination carries at one moment (ipvsadm(8), -L: ActiveConn, InActConn and
// --persistent-conn).
type Connections struct {
	Active     uint32 // established TCP connections
	Inactive   uint32 // all others, also UDP
	Persistent uint32 // clients that will come back to it
}
