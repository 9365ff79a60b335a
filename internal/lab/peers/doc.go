// Package peers measures what a check costs this program, keepalived and a small C program, in turn on one machine
// (make peers). It has only tests; the C programs and the script that runs it are in testdata/peers.
package peers
