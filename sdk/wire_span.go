package sdk

import (
	"context"
	"encoding/hex"
	"path"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	protobuf "google.golang.org/protobuf/proto"

	"github.com/understudy-crm/understudy/proto"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// maxSteps leaves room for the call itself.
const maxSteps = proto.MaxSpans - 1

// measureUnary measures a call of the host's, where the host asks for that.
func measureUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, done := measureCall(ctx, info.FullMethod)
	if done == nil {
		return handle(ctx, request)
	}
	answer, err := handle(ctx, request)
	_ = grpc.SetTrailer(ctx, done(err)) // a time that is lost is no reason to fail
	return answer, err
}

// measureStream does so for an answer in parts.
func measureStream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, done := measureCall(stream.Context(), info.FullMethod)
	if done == nil && ctx == stream.Context() {
		return handle(server, stream)
	}
	err := handle(server, measuredStream{stream, ctx})
	if done != nil {
		stream.SetTrailer(done(err))
	}
	return err
}

type measuredStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context is the call's, with what is measured of it.
func (s measuredStream) Context() context.Context { return s.ctx }

// measureCall begins a call; the function it returns, nil where nobody measures, ends it.
func measureCall(ctx context.Context, method string) (context.Context, func(error) metadata.MD) {
	asked, ok := metadata.FromIncomingContext(ctx)
	if !ok {
		return ctx, nil
	}
	if id := asked.Get(proto.RequestID); len(id) == 1 {
		ctx = context.WithValue(ctx, requestIDKey{}, id[0])
	}
	said := asked.Get(proto.TraceParent)
	if len(said) != 1 {
		return ctx, nil
	}
	parts := strings.Split(said[0], "-")
	var parent spanID
	if len(parts) != 4 || len(parts[2]) != 2*len(parent) {
		return ctx, nil
	}
	if _, err := hex.Decode(parent[:], []byte(parts[2])); err != nil {
		return ctx, nil
	}
	r := &recorder{trace: parts[1]}
	call := r.begin(parent, method[strings.LastIndexByte(method, '.')+1:])
	return context.WithValue(ctx, measuringKey{}, measuring{r, call.id}), func(err error) metadata.MD {
		return metadata.Pairs(proto.SpansTrailer, string(spansToWire(r.all(call, err))))
	}
}

// measureHost measures a call to the host, and tells it below which step it stands.
func measureHost(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption) error {
	m, on := ctx.Value(measuringKey{}).(measuring)
	if !on {
		return call(ctx, method, request, answer, conn, options...)
	}
	s := m.recorder.begin(m.step, "ask "+path.Base(method))
	ctx = metadata.AppendToOutgoingContext(ctx, proto.TraceParent, "00-"+m.recorder.trace+"-"+hex.EncodeToString(s.id[:])+"-01")
	err := call(ctx, method, request, answer, conn, options...)
	m.recorder.end(s, err)
	return err
}

func spansToWire(steps []step) []byte {
	spans := &modulev1.Spans{}
	for _, s := range steps {
		name := s.name
		if len(name) > proto.MaxSpanName {
			name = name[:proto.MaxSpanName]
		}
		spans.Spans = append(spans.Spans, &modulev1.Span{
			Id: s.id[:], Parent: s.parent[:], Name: strings.ToValidUTF8(name, ""), Began: s.began.UnixNano(), Ended: s.ended.UnixNano(), Failed: s.failed,
		})
	}
	data, err := protobuf.Marshal(spans)
	if err != nil {
		return nil // it holds numbers and valid text
	}
	return data
}
