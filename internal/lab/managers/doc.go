// Package managers tests ldirectord with the cluster managers that start it, as Debian ships them: heartbeat, pacemaker
// and keepalived, on two machines of the lab, while a client sends requests to the virtual address. It has only tests:
// TestManager…
package managers
