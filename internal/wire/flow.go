package wire

import "google.golang.org/grpc"

// window is how many bytes a peer may send before they are read: more lets one
// peer that is far away send faster, and many take more memory, for it is theirs
// whether they are far away or not. 256 KiB are 5 MB/s at 50 ms.
const window = 256 << 10

// Flow are the options of a server that many peers send to at once: its memory
// must not follow how fast they could.
func Flow() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window)}
}
