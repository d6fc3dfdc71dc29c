# Needs Go: every tool runs by `go run` at a fixed version and is cached where Go caches. `make test` also needs
# Python 3 with venv, Java 11 with Maven, and Node.js 20 with npm: it installs into .cache/ once DuckDB, which reads
# what we write, the servers that we test against, and the browser that shows the page (internal/emulator).

GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
CYCLONEDX   := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
GOSEC       := github.com/securego/gosec/v2/cmd/gosec@v2.22.10

# What the listing benchmarks race against: programs, built where they do not touch go.mod.
LISTERS := s3ls s5cmd rclone
S3LS   := 1.3.5
S5CMD  := v2.3.0
RCLONE := v1.76.0

# The CDK's CLI: newer ones cannot read what the library in infra/go.mod writes.
CDK_CLI := aws-cdk@2.1126.0

# What the fleet races against. The benchmark itself installs them, into .cache/peers-fleet (needs Node.js with npm,
# and Python 3 with venv).
WORKERS := sqs-consumer-batched sqs-consumer watermill celery dramatiq

FUZZTIME ?= 30s
FUZZ  ?= .
PKG   ?= ./...
FLAGS ?=
BENCH ?= .
COUNT ?= 1
PEERS ?= $(LISTERS) $(WORKERS)
KEYS  ?=
TABLES ?= out/bench.md
OUT   ?= out/$(shell date -u +%Y%m%dT%H%M%SZ)
BIN   := bin/ramify
DIST  ?= dist
ARCH  ?= arm64
GO_ARCH = $(patsubst x86_64,amd64,$(ARCH))
SET   ?=

.DEFAULT_GOAL := help
.PHONY: gosec screenshots soak soak-hour model fuzz release help run test test-race test-infra lint bench peers fmt fmt-check verify build metricfn image bootstrap synth deploy destroy vuln clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: build ## Walk this machine's module cache on an S3 server in-process, or TARGET=s3://... (OUT=folder)
ifeq ($(strip $(TARGET)),)
	go mod download
	$(BIN) demo "$$(go env GOMODCACHE)" --out "$(OUT)"
else
	$(BIN) run "$(TARGET)" --out "$(OUT)"
endif

test: ## Run all tests (PKG=./task/... FLAGS='-run Name -v')
	go test -timeout=24m $(FLAGS) $(PKG)
ifeq ($(PKG),./...)
	$(MAKE) test-infra
endif

test-infra: ## Run the tests of the CDK app alone: a module of its own, whose first build takes minutes
	cd infra && go test -timeout=15m $(FLAGS) ./...

# Of the simulation: RAMIFY_PROOF_RUNS, RAMIFY_PROOF_FROM (a seed). A seed that fails is printed as one command.
soak: ## Run the long variants of the end-to-end tests, 20,000 simulated runs and all planted bugs (1 to 4 hours)
	RAMIFY_SOAK=1 go test -count=1 -timeout=3h -v ./proof/campaign
	RAMIFY_SOAK=1 go test -count=1 -timeout=2h -v ./proof/real
	RAMIFY_SOAK=1 go test -count=1 -timeout=3h -v ./integration
	RAMIFY_SOAK=1 go test -count=1 -timeout=3h -v ./proof/faults
	RAMIFY_SOAK=1 go test -count=1 -timeout=1h -v -run=Memory ./web/webtest

# FOR=15m goes on for less than an hour.
FOR ?= 1h
soak-hour: ## Have a fleet and a run on one machine go on for an hour, watched, and print what they hold (FOR=15m)
	RAMIFY_SOAK_FOR=$(FOR) go test -count=1 -timeout=0 -run='^TestSoakHour$$' -v ./proof/faults

# One target at a time: go test takes one. What fails is kept in testdata/fuzz and is a seed of `make test` from then on.
fuzz: ## Run each fuzz target for a while (FUZZTIME=30s FUZZ=regexp of package:target)
	@failed=; for t in $$(find . -name '.?*' -prune -o -name '*_test.go' -exec grep -Ho '^func Fuzz[A-Za-z0-9]*' {} + | \
		sed -n 's|/[^/]*_test.go:func |:|p' | grep -E '$(FUZZ)' | sort -u); do \
		echo "make fuzz: $$t"; \
		go test -run='^$$' -fuzz="^$${t##*:}$$" -fuzztime=$(FUZZTIME) $(FLAGS) "$${t%%:*}" || failed="$$failed $$t"; \
	done; \
	[ -z "$$failed" ] || { echo "make fuzz: failed:$$failed" >&2; exit 1; }

# Other worlds, or what each planted bug comes to: go run ./proof/model/check --help.
model: ## Search the model of the protocol to its end: all orders of all steps on small trees (minutes, 2 GB)
	go run ./proof/model/check

test-race: ## Run all tests under the race detector, in random order (needs a C compiler)
	@[ "$$(go env CGO_ENABLED)" = 1 ] || { echo "make test-race: the race detector needs cgo: install a C compiler, or unset CGO_ENABLED" >&2; exit 1; }
	go test -race -shuffle=on -timeout=30m $(FLAGS) $(PKG)

lint: ## Run golangci-lint, the import rules included
	go run $(GOLANGCI) run $(PKG)
	cd infra && go run $(GOLANGCI) run

# Of the listing benchmarks: RUNS and, of peers that need more than 20 s, SLOW_RUNS; LISTS="debian flat chain awkward";
# PEERS; LATENCY="30ms 0s"; KEYS=file of real keys. Of the fleet's: RUNS, PEERS, DEPTH of the tree, WARMUP. Of the
# plans': RUNS. They add their tables to TABLES.
RACE := $(foreach v,RUNS SLOW_RUNS LISTS PEERS LATENCY DEPTH WARMUP,RAMIFY_BENCH_$(v)='$($(v))') \
	RAMIFY_BENCH_KEYS='$(abspath $(KEYS))' RAMIFY_BENCH_TABLES='$(abspath $(TABLES))'

bench: $(if $(or $(filter .,$(BENCH)),$(findstring List,$(BENCH)),$(findstring Copy,$(BENCH))),peers) ## Run the benchmarks, one package at a time (BENCH=regexp COUNT=n FLAGS=...)
	@pkgs=$$(find . -name '.?*' -prune -o -name '*_test.go' -exec grep -l '^func Benchmark' {} + | xargs -r -n1 dirname | sort -u); \
	[ -n "$$pkgs" ] || { echo "make bench: no benchmarks yet"; exit 0; }; \
	set -x; $(RACE) go test -p=1 -run='^$$' -bench='$(BENCH)' -benchmem -count=$(COUNT) -timeout=6h $(FLAGS) $$pkgs

screenshots: ## Take the pictures of docs/pictures anew, of a run that is walked (a minute; needs Node.js with npm)
	RAMIFY_PICTURES='$(abspath docs/pictures)' go test -count=1 -timeout=10m -run='^TestPictures' -v ./web/webtest

peers: $(foreach p,$(filter-out none $(WORKERS),$(PEERS)),.cache/peers/$(firstword $(subst -, ,$(p)))) ## Build the tools that listing is compared with (PEERS="s3ls s5cmd rclone")

.cache/peers/s3ls: .cache/peers/s3ls-$(S3LS)
.cache/peers/s5cmd: .cache/peers/s5cmd-$(S5CMD)
.cache/peers/rclone: .cache/peers/rclone-$(RCLONE)
.cache/peers/s3ls .cache/peers/s5cmd .cache/peers/rclone:
	ln -sf $(notdir $<) $@

PEERLESS = { echo "make peers: $(notdir $@) cannot be built: PEERS=\"...\" without it leaves it out of the race" >&2; exit 1; }

.cache/peers/s3ls-$(S3LS):
	cargo install s3ls-rs --version $(S3LS) --locked --root .cache/peers/cargo || $(PEERLESS)
	cp .cache/peers/cargo/bin/s3ls $@

# Not `go install`: it asks for lists of versions that not every registry gives.
.cache/peers/s5cmd-$(S5CMD): MODULE := github.com/peak/s5cmd/v2@$(S5CMD)
.cache/peers/rclone-$(RCLONE): MODULE := github.com/rclone/rclone@$(RCLONE)
.cache/peers/s5cmd-$(S5CMD) .cache/peers/rclone-$(RCLONE):
	@src=$$(mktemp -d); trap 'rm -rf "$$src"' EXIT; mkdir -p $(@D); \
	dir=$$(go mod download -json $(MODULE) | sed -n 's/^\t"Dir": "\(.*\)",*$$/\1/p'); \
	[ -n "$$dir" ] && cp -R "$$dir/." "$$src" && chmod -R u+w "$$src" && \
	(set -x; cd "$$src" && GOWORK=off go build -mod=mod -trimpath -o "$(abspath $@)" .) || $(PEERLESS)

fmt: ## Format all Go files with gofumpt
	go run $(GOFUMPT) -l -w .

fmt-check:
	@go run $(GOFUMPT) -d . || { echo "make fmt-check: gofumpt failed or wants what is shown above: run 'make fmt'" >&2; exit 1; }

verify: ## All that a change must pass: format, vet, lint, modules, tests
	$(MAKE) fmt-check
	go vet ./...
	cd infra && go vet ./...
	$(MAKE) lint
	go mod verify
	go mod tidy -diff
	cd infra && go mod verify && go mod tidy -diff
	$(MAKE) test

# What the linker cannot know to be unused by itself: a fifth of the binary (internal/lean).
LEAN := -modfile="$$(go run ./internal/lean/cmd)"

build: ## Build bin/ramify, static
	CGO_ENABLED=0 go build -trimpath $(LEAN) -o $(BIN) ./cmd/ramify

# Without the names of functions for debuggers: an image is fetched by each task that starts.
STATIC := CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags='-s -w'

.PHONY: binary-amd64 binary-arm64
binary-amd64 binary-arm64: binary-%:
	GOARCH=$* $(STATIC) $(LEAN) -o $(DIST)/linux-$*/ramify ./cmd/ramify

IMAGE := go run ./image/cmd --version="$$(git describe --tags --always --dirty 2>/dev/null || echo devel)"

# An engine that works, not one that is only installed; ENGINE=none for an archive all the same.
image: binary-amd64 binary-arm64 ## Build the container image with podman, buildah or docker (ENGINE=), or dist/image.tar where there is none
	@engine="$(ENGINE)"; for e in podman buildah docker; do \
		if [ -z "$$engine" ] && $$e info >/dev/null 2>&1; then engine=$$e; fi; \
	done; \
	if [ "$${engine:-none}" = none ]; then \
		$(IMAGE) --out $(DIST)/image.tar $(DIST)/linux-amd64/ramify $(DIST)/linux-arm64/ramify && \
		echo "make image: wrote $(DIST)/image.tar, an OCI archive that any container engine loads"; \
	else \
		set -x; $$engine build --platform linux/$(GO_ARCH) -t ramify .; \
	fi

# Nothing of this machine nor of this moment goes into a file of a release: two that are made of one commit are equal.
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
SYSTEMS  ?= linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 windows-amd64
RELEASED := $(DIST)/release
RELEASE_BUILD = CGO_ENABLED=0 GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(word 2,$(subst -, ,$*)) GOFLAGS= go build -trimpath -buildvcs=false \
	-ldflags='-s -w -buildid= -X github.com/ramify/ramify/app.stamped=$(VERSION)' $(LEAN)
PROGRAM = $(DIST)/programs/$(1)/ramify$(if $(findstring windows,$(1)),.exe)

.PHONY: $(foreach s,$(SYSTEMS),program-$(s))
$(foreach s,$(SYSTEMS),program-$(s)): program-%:
	$(RELEASE_BUILD) -o $(call PROGRAM,$*) ./cmd/ramify

release: $(foreach s,$(SYSTEMS),program-$(s)) ## Write archives, SBOM and checksums into dist/release (VERSION=v1 SYSTEMS="linux-amd64 ..." SIGN=file of an SSH key)
	go run $(CYCLONEDX) bin -json -noserial -std -version '$(VERSION)' -output $(DIST)/programs/sbom.json $(call PROGRAM,$(firstword $(SYSTEMS)))
	go run ./release/cmd -version '$(VERSION)' -date "$$(git log -1 --format=%ct 2>/dev/null || echo 0)" -sbom $(DIST)/programs/sbom.json \
		-to $(RELEASED) $(foreach s,$(SYSTEMS),$(s)=$(call PROGRAM,$(s)))
	$(if $(SIGN),ssh-keygen -q -Y sign -f '$(SIGN)' -n ramify-release $(RELEASED)/SHA256SUMS)
	@cat $(RELEASED)/SHA256SUMS

# Knobs: SET="min=1 max=50 read=my-bucket"; docs/deploy.md has all. STACK and ARCH are two, too; what is not
# said here infra/cdk.context.json may say. So the function is built for both architectures, as the image is.
# The CDK leaves out what has no value, with a warning, and deploys with the default.
VALUELESS = $(strip $(foreach k,$(SET),$(if $(findstring =,$(k)),,$(k))))
CDK   := cd infra && npx --yes --cache "$(CURDIR)/.cache/npm" $(CDK_CLI)
KNOBS  = $(if $(VALUELESS),$(error SET has "$(VALUELESS)", want knob=value, with spaces between knobs only))$(foreach k,$(if $(STACK),stack=$(STACK)) $(if $(filter-out undefined file,$(origin ARCH)),arch=$(ARCH)) $(SET),-c '$(k)')
BUILT := dist/metricfn-arm64/bootstrap dist/metricfn-amd64/bootstrap

bootstrap: $(BUILT) ## Prepare an account and region for the CDK, once
	$(CDK) bootstrap $(KNOBS) -c image=none

synth: $(BUILT) ## Write the template of a fleet into out/cdk (SET="max=50 ...")
	rm -rf out/cdk # of another stack, or of other assets
	$(CDK) synth --quiet -c image=none $(KNOBS)

deploy: synth binary-amd64 binary-arm64 ## Put a fleet on Fargate (STACK=name SET="max=50 read=my-bucket"); docs/deploy.md
	@image=$$($(IMAGE) --push $(DIST)/linux-amd64/ramify $(DIST)/linux-arm64/ramify) && \
	(set -x; $(CDK) deploy --require-approval never -c "image=$$image" $(KNOBS))

destroy: $(BUILT) ## Remove a fleet, but for what it was deployed with SET="retain=..."
	$(CDK) destroy --force -c image=none $(KNOBS)

# Static and reproducible; the CDK app takes the folders, and whoever deploys by hand the archives beside them.
metricfn: $(foreach a,arm64 amd64,dist/metricfn-$(a).zip) ## Build the function that publishes metrics and governs: dist/metricfn-{arm64,amd64}/bootstrap, and the same zipped

.PHONY: FORCE
.PRECIOUS: dist/metricfn-%/bootstrap
dist/metricfn-%/bootstrap: FORCE
	CGO_ENABLED=0 GOOS=linux GOARCH=$* go build -trimpath -buildvcs=false -tags lambda.norpc -ldflags='-s -w -buildid=' -o $@ ./metricfn/lambda
dist/metricfn-%.zip: dist/metricfn-%/bootstrap
	go run ./metricfn/pack $< $@

# Distinct from a finding: a database out of reach has found nothing and cleared nothing.
vuln: ## Look for known vulnerabilities with govulncheck (GOVULNDB=url for a mirror)
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	go run $(GOVULNCHECK) $(if $(GOVULNDB),-db=$(GOVULNDB)) $(PKG) >"$$log" 2>&1; code=$$?; \
	if why=$$(grep -m1 -e 'fetching vulnerabilities' -e 'creating client' "$$log"); then \
		echo "make vuln: NOT CHECKED, the vulnerability database cannot be reached (for a mirror, GOVULNDB=url): $$why" >&2; exit 75; \
	fi; \
	cat "$$log"; exit $$code

# Each rule that is off stands in docs/security.md, with the reason. The peers of a benchmark are not of this module.
GOSEC_OFF := G101,G104,G115,G204,G304,G401,G404,G602

gosec: ## Run gosec with all rules but those that docs/security.md explains (2 minutes of processor time)
	go run $(GOSEC) -quiet -exclude=$(GOSEC_OFF) -exclude-generated -exclude-dir=.cache -exclude-dir=infra -exclude-dir=bench/fleet/peers ./...

clean: ## Remove bin/, out/, dist/ and the caches of this folder
	rm -rf bin out dist .cache
