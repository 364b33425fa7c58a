# The two commands of the README, and what they are made of. They ask no question.
#   make demo   build, then start simulated carriers, a sample app and the gateway; prints one address to open
#   make demo-walk   walk through all that the demo shows, in a Chromium
#   make test   build, then every test
#   make lint, make deny   form and lints; licences, sources and upkeep of what we depend on
#   make interop    sign people in at OpenID providers that others wrote (tests/interop/README.md)
#   make matrix     every protocol of a client with every one of an upstream, 1 GiB each way
#   make apps       put real apps behind the gateway and use them (docs/apps/README.md)
#   make suites     suites and clients that others wrote: h2spec, gRPC, WebSocket, HTTP clients (docs/SUITES.md)
#   make conformance SUITE=…   the OpenID Foundation's conformance suite (tests/conformance/README.md)
#   make bench, make side-by-side, make scale   measure (benches/README.md)
#   make release   a release build that a load has trained (docs/PERFORMANCE.md)
# What a bare Debian or Ubuntu machine lacks is installed first (as root, or with sudo).

CARGO ?= cargo
MEASURE = $(CARGO) build --locked --release && $(CARGO) bench --locked -p zengate-bench --bench measure --
BUILD_NEEDS = cmake:cmake cc:build-essential
COUNT_NEEDS = $(BUILD_NEEDS) valgrind:valgrind
TEST_NEEDS = $(BUILD_NEEDS) redis-server:redis-server chromium:chromium

.PHONY: demo demo-walk test lint deny bench instructions instructions-record side-by-side side-by-side-peers side-by-side-trained scale \
  release apps suites matrix interop conformance need-build need-count need-test help

help:
	@sed -n '1,14s/^# \{0,1\}//p' Makefile

demo: need-build
	$(CARGO) build --locked --features demo
	./target/debug/zengate demo $(DEMO_ARGS)

# Every page of the demo, by a script in a Chromium; it starts the demo by itself and ends it.
demo-walk: need-test
	$(CARGO) build --locked --features demo
	python3 tests/demo/walk.py

test: need-test
	$(CARGO) test --locked --workspace --features demo

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --features demo -- -D warnings
	$(CARGO) clippy --locked -- -D warnings

deny:
	sh .ci/deny.sh

# Providers that others wrote, really run; ARGS names some of them or some features: make interop ARGS='keycloak --features back'.
interop: need-build
	$(CARGO) build --locked
	python3 tests/interop/run.py $(ARGS)

# Real apps from their packages, really used; ARGS names some of them: make apps ARGS='jupyterlab git'.
apps: need-build
	$(CARGO) build --locked --features demo
	python3 tests/apps/run.py $(ARGS)

# Without ARGS every suite is run and docs/SUITES.md written anew: make suites ARGS='http2 grpc'.
suites: need-build
	$(CARGO) build --locked
	python3 tests/suites/run.py $(or $(ARGS),--write docs/SUITES.md)

# Every protocol of a client with every protocol of an upstream, 1 GiB each way; the suite does it with less.
matrix: need-build
	ZENGATE_MATRIX_MIB=1024 $(CARGO) test --locked --release --features demo --test it -- proxy::matrix --nocapture

# The suite plays the provider. Without ARGS every plan is run and docs/CONFORMANCE.md written anew.
conformance: need-build
	$(CARGO) build --locked
	python3 tests/conformance/run.py --suite "$(SUITE)" $(or $(ARGS),--control --write docs/CONFORMANCE.md)

bench: need-build
	$(MEASURE) side-by-side --case hot --only zengate --rounds 9 $(ARGS)

# Instructions of a signed-in request against the recorded ones; -record records them anew.
instructions: need-count
	$(MEASURE) instructions

instructions-record: need-count
	$(MEASURE) instructions --record

# ARGS go to the bench: make side-by-side ARGS='--case hot --rounds 9'; --help says which there are.
side-by-side: need-build
	$(MEASURE) side-by-side --out $(CURDIR)/target/side-by-side.md $(ARGS)

# The same with more of everything: make scale ARGS='--part sessions --rounds 3'. Draws the picture with PLOT=docs/scale.svg.
scale: need-test
	$(MEASURE) scale --out $(CURDIR)/target/scale.md --plot $(abspath $(or $(PLOT),target/scale.svg)) $(ARGS)

# A release build laid out by where a load spent its time: target/trained/zengate.
release: need-build
	sh deploy/trained.sh release

# Side by side with the gateway and bare pingora built that way.
side-by-side-trained: need-build
	sh deploy/trained.sh bench --out $(CURDIR)/target/side-by-side-trained.md $(ARGS)

# What it can be compared with, as far as packages give it.
side-by-side-peers:
	sh benches/install.sh

need-build:
	@sh deploy/need.sh $(BUILD_NEEDS)

need-count:
	@sh deploy/need.sh $(COUNT_NEEDS)

need-test:
	@sh deploy/need.sh $(TEST_NEEDS)
