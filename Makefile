# Every target is a few plain commands; Go and npm are all they need. What CI runs is .ci/run.
#
#   make run       build, then a demo with example people on a local address
#   make test      every test (RACE=1 with the race detector, TESTFLAGS=-v and the like)
#   make fuzz      what reads strangers' bytes, each for its time (FUZZTIME=10m for all, FUZZ=package:Target for one)
#   make bench     the table of what is how fast, against others in the same run (QUICK=1 for a look; MICRO=1 for Go's benchmarks)
#   make build     bin/understudy, and the modules we ship as dist/*.zip (RELEASE=1: for every platform)
#   make package   the Debian package, in dist/ (RELEASE=1: for both processors)
#   make verify    the modules we ship through their installer's checks and the conformance kit
#   make lint      what a reviewer shouldn't have to say;  make fmt repairs the layout
#   make generate  Go from proto/
#   make assets    styles and scripts of the pages from npm

GO     ?= go
NPM    ?= npm
TOOL   := $(GO) tool -modfile=.ci/tools/go.mod
ASSETS := host/internal/web/assets
BUILD  := CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w"

HERE      := $(shell $(GO) env GOOS)/$(shell $(GO) env GOARCH)
PLATFORMS ?= $(if $(RELEASE),linux/amd64 linux/arm64 darwin/arm64 windows/amd64,$(HERE))
PACKED    := dist/build/impersonation

.PHONY: run test fuzz bench build understudy impersonation package verify lint fmt generate assets

run: build
	bin/understudy demo

# The race detector watches our code and what talks to it. Watching the arithmetic of SQLite, of
# compression and of hashing would take most of the time and find nothing of ours. (Only packages
# without generic code of sync's may be named: the linker keeps one copy of that for the program.)
# Its notes on memory lie in large pages, or half of the time would be page faults.
UNWATCHED := $(foreach p,modernc.org/sqlite/lib compress/flate golang.org/x/crypto/...,'-gcflags=$(p)=-race=false')

# -timeout ends a test that hangs, and is far from what a slow and busy machine takes.
test: assets
	$(if $(RACE),GORACE=no_huge_pages_for_shadow=0) $(GO) test -timeout 40m $(if $(RACE),-race $(UNWATCHED)) $(TESTFLAGS) ./...

# package:Target:time, one after the other. A crasher is printed, and kept in the package's testdata/fuzz.
FUZZ ?= \
	host/internal/module/zipfile:FuzzDirectory:60s \
	host/internal/module/fragment:FuzzFragment:20s \
	host/internal/module/zipfile:FuzzNumbers:10s \
	sdk/manifest:FuzzParse:5s \
	sdk/manifest:FuzzTexts:5s

fuzz:
	@GO=$(GO) FUZZTIME=$(FUZZTIME) .ci/fuzz $(FUZZ)

# The baselines bring dependencies of their own, in bench/; what can't be installed is said in the table.
bench: assets
ifdef MICRO
	$(GO) test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...
else
	$(GO) test -c -o bin/bench.test ./host/internal/bench
	UNDERSTUDY_BENCH=$(if $(QUICK),quick,full) bin/bench.test -test.run '^$$' -test.bench '^BenchmarkTable$$' -test.benchtime 1x -test.timeout 20m
endif

build: understudy impersonation

understudy: assets
	$(BUILD) -o bin/understudy ./host

# The zip an administrator uploads, then the download package around it: the zip, its documentation, the licence.
impersonation: understudy
	rm -rf $(PACKED) && mkdir -p $(PACKED)/bin
	cp -R plugins/impersonation/module.json $(wildcard $(addprefix plugins/impersonation/,languages assets docs)) $(PACKED)/
	set -e; for p in $(PLATFORMS); do os=$${p%/*} arch=$${p#*/}; exe=; [ $$os != windows ] || exe=.exe; \
		GOOS=$$os GOARCH=$$arch $(BUILD) -o $(PACKED)/bin/impersonation-$$os-$$arch$$exe ./plugins/impersonation; done
	bin/understudy module pack $(PACKED) --out dist/impersonation.zip $(PLATFORMS:%=--platform %)
	bin/understudy module bundle dist/impersonation.zip --docs $(PACKED)/docs --license LICENSE --out dist/

# For releases, .goreleaser.yaml takes what this makes.
package: build
	set -e; for arch in $(patsubst linux/%,%,$(filter linux/%,$(PLATFORMS))); do \
		GOOS=linux GOARCH=$$arch $(BUILD) -o dist/build/understudy-linux-$$arch ./host; \
		host/packaging/package dist/build/understudy-linux-$$arch $$arch dist dist/impersonation.zip; done

verify: build
	bin/understudy module verify dist/impersonation.zip

lint: assets
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
		[ -z "$$unformatted" ] || { echo "gofmt these (make fmt):"; echo "$$unformatted"; exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(TOOL) golangci-lint run ./...
	$(TOOL) buf lint
	@tag=$$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null) || { echo "no release yet: nothing the contract could break"; exit 0; }; \
		set -x; $(TOOL) buf breaking --against ".git#tag=$$tag"
	@rm -rf dist/_generate && $(TOOL) buf generate --template .ci/buf.gen.yaml --output dist/_generate
	@diff -r -x '*.proto' -x '*[!b].go' -x '*.md' dist/_generate/proto proto || { echo "the generated Go is stale: make generate"; exit 1; }
	GOOS=darwin $(GO) build ./...
	GOOS=windows $(GO) build ./...

fmt:
	$(TOOL) golangci-lint fmt ./...

generate:
	$(TOOL) buf generate --template .ci/buf.gen.yaml

assets: $(ASSETS)/vendor/.stamp

$(ASSETS)/vendor/.stamp: $(ASSETS)/package-lock.json $(ASSETS)/build.mjs
	cd $(ASSETS) && $(NPM) ci --no-fund --no-audit && node build.mjs
