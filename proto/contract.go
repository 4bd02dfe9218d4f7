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
