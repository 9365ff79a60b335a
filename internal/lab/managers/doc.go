// Package managers tests ldirectord under the cluster managers that start it: heartbeat, pacemaker and
// keepalived as Debian ships them, on two machines of the lab, while a client sends requests to the virtual address.
// There is nothing in it but tests: TestManager…
package managers
