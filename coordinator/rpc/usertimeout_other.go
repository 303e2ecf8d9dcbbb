//go:build !linux

package rpc

import (
	"net"
	"time"
)

// setUserTimeout does nothing: gRPC's pings end a connection whose peer is gone.
func setUserTimeout(net.Conn, time.Duration) {}
