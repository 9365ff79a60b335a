// Package lab tests the program on a kernel with IPVS: the binary that LDIRECTORD names, with network namespaces as
// director, real servers and client. It has only tests: TestKernel… Many play a script of testdata, with the commands
// of steps_test.go.
package lab
