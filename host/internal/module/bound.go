package module

import (
	"context"
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/understudy-crm/understudy/proto"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// Bounds on what go-plugin and gRPC would take from a module without end.
const (
	maxAsking   = 32      // host calls at a time over one connection; more wait
	maxAskingIn = 64      // and over all connections a module opens; more are refused
	maxAsked    = 2 << 20 // bytes of one: a value to store is the longest
	maxBrokered = 16      // messages of go-plugin's broker; the host, which never dials, needs none
)

// brokerStream is go-plugin's own stream, over which a module may offer connections.
const brokerStream = "/plugin.GRPCBroker/StartStream"

// boundBroker has a module that offers connections without end wait: go-plugin remembers each, some
// of them for good.
func boundBroker(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, conn, method, options...)
	if err != nil || method != brokerStream {
		return stream, err
	}
	return &scarce{ClientStream: stream, left: maxBrokered}, nil
}

// scarce is a stream from which only so many messages are read.
type scarce struct {
	grpc.ClientStream
	left int
}

// RecvMsg waits for the stream's end once there were enough.
func (s *scarce) RecvMsg(message any) error {
	if s.left == 0 {
		<-s.Context().Done()
		return s.Context().Err()
	}
	s.left--
	return s.ClientStream.RecvMsg(message)
}

// boundAsking refuses a module's calls beyond so many at a time, before anything of them is read: each
// may bring megabytes, and a module may open as many connections as it has files.
func boundAsking() tap.ServerInHandle {
	var asking atomic.Int32
	return func(ctx context.Context, _ *tap.Info) (context.Context, error) {
		if asking.Add(1) > maxAskingIn {
			asking.Add(-1)
			return nil, status.Errorf(codes.ResourceExhausted, "more than %d calls at a time", maxAskingIn)
		}
		context.AfterFunc(ctx, func() { asking.Add(-1) })
		return ctx, nil
	}
}

// frugal reads what a module asks. Two bytes of a message can be one more part of it, which takes a
// hundred times as much once it is read: all but plain bytes are refused beyond a size, and who asks
// without end waits before anything is read.
type frugal struct {
	encoding.CodecV2
	asks *throttle
}

// Unmarshal reads one message.
func (f frugal) Unmarshal(data mem.BufferSlice, message any) error {
	f.asks.asked(data.Len())
	switch message.(type) {
	case *modulev1.PutValueRequest, *modulev1.PutLanguageRequest:
	default:
		if data.Len() > proto.MaxAnswerBytes {
			return fmt.Errorf("the message has %d bytes; %d are allowed", data.Len(), proto.MaxAnswerBytes)
		}
	}
	return f.CodecV2.Unmarshal(data, message)
}
