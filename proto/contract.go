// Package proto names what host and modules must agree on before their first message: the
// handshake, the protocol version and the go-plugin name. The messages are in
// understudy/module/v1.
package proto

// ProtocolVersion is the version of the contract that understudy/module/v1 describes. A breaking
// change would be a second package and a second version, served side by side.
const ProtocolVersion = 1

// The handshake tells a person who starts a module by hand that it isn't meant for that. It is no
// secret and no protection: AutoMTLS is.
const (
	HandshakeCookieKey   = "UNDERSTUDY_MODULE"
	HandshakeCookieValue = "understudy.module.v1"
)

// PluginName is the one name under which go-plugin dispenses a module.
const PluginName = "module"

// MaxMessageBytes is the largest message a module accepts: a page's request with its body.
const MaxMessageBytes = 9 << 20

// MaxAnswerBytes is the largest message the host accepts from a module, asking or answering, but for
// a value to store. A message of many small parts takes a hundred times its size to read.
const MaxAnswerBytes = 256 << 10

// MaxBodyBytes is the largest request body handed to a module's page.
const MaxBodyBytes = 8 << 20

// MaxChunkBytes is the largest chunk of a page's answer.
const MaxChunkBytes = 64 << 10

// Metadata of calls, in either direction, where times are collected: see span.proto.
const (
	TraceParent  = "traceparent"
	SpansTrailer = "understudy-spans-bin"
)

// MaxSpans is how many spans of one call the host takes, MaxSpansBytes in how many bytes, MaxSpanName
// the most of a name.
const (
	MaxSpans      = 64
	MaxSpansBytes = 32 << 10
	MaxSpanName   = 80
)

// RequestID is the metadata that names the request a call is made for, where it is made for one.
const RequestID = "understudy-request"
