// Package peers has no code but tests: what a check costs this program, keepalived and a small C program, measured in
// turn on one machine (make peers). The C programs and the script that runs it are in testdata/peers.
package peers
