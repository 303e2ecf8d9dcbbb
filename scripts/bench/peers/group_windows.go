package main

import "os/exec"

// ownGroup leaves cancellation as it is: Windows has no process groups to
// interrupt, so only the program itself is killed.
func ownGroup(*exec.Cmd) {}

func killGroup(*exec.Cmd) {}
