# Every target is a few plain commands; a machine with Go and npm is enough.
GO   ?= go
BUF  := $(GO) tool -modfile=.ci/tools/go.mod buf

.PHONY: generate
generate: ## Go from the .proto files, written beside them
	$(BUF) generate --template .ci/buf.gen.yaml
