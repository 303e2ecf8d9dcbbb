package wire

import (
	"net"

	"github.com/accord-fl/accord/internal/fault"
)

// CheckPlain reports whether a connection at addr, host:port, may do without
// certificates. It may when the configuration says insecure and the host is a
// loopback address, so that nothing travels over a network; every other case
// is an error of class fault.Input.
func CheckPlain(addr string, insecure bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fault.Inputf("address %q: want host:port", addr)
	}
	if !insecure {
		return fault.Inputf("address %s: there are no certificates, and without them a connection must stay on this machine: "+
			"use a loopback address such as 127.0.0.1 and set insecure: true", addr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fault.Inputf("address %s: insecure: true is for loopback addresses only, such as 127.0.0.1; "+
			"weights must not cross a network without certificates", addr)
	}
	return nil
}
