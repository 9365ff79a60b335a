//go:build race

package main

const underRace = true // the detector keeps memory of its own
