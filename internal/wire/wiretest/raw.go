package wiretest

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// raw is a codec that leaves messages as they are: *[]byte.
type raw struct{}

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func (raw) Name() string { return "proto" }

// both is a stream in both directions, as every call can be made.
var both = &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}

// open makes a call whose messages are bytes.
func open(ctx context.Context, conn *grpc.ClientConn, method string) (grpc.ClientStream, error) {
	return conn.NewStream(ctx, both, "/"+service+"/"+method, grpc.ForceCodecV2(raw{}))
}

// server serves every method with handle, whose messages are bytes.
func server(handle func(method string, s grpc.ServerStream) error) *grpc.Server {
	return grpc.NewServer(grpc.ForceServerCodecV2(raw{}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		path, _ := grpc.MethodFromServerStream(s)
		return handle(path[len("/"+service+"/"):], s)
	}))
}
