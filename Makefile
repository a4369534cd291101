# Thin: what the words mean is in tools/ and in the program. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup build up down test bench bench-vector bench-embed bench-search check fault clean

help:
	@echo 'make up      set up, build, start the servers, load the shop, keep both stores in step'
	@echo 'make down    stop what `make up` started; the data stays'
	@echo 'make test    set up, build, all tests'
	@echo 'make bench   set up, build, measure; results in docs/benchmarks/'
	@echo 'make bench-vector, make bench-embed   the engines beside the libraries people use'
	@echo 'make bench-search JUDGEMENTS=FILE     search beside what shops have without us'
	@echo 'make check   all tests, format, linters, sanitizers, fuzzers'
	@echo 'make fault   kill clients and servers while many order, prove that nothing is lost'
	@echo 'make build   set up, build'
	@echo 'make clean   remove build/; data under var/ stays (build/aethermart reset wipes that)'

setup:
	@tools/setup

build: setup
	@[ -f build/build.ninja ] || meson setup build >/dev/null
	@ninja -C build --quiet

up: build
	@build/aethermart up

down:
	@[ ! -x build/aethermart ] || build/aethermart down

test:
	@tools/setup test
	@tools/test

bench: build
	@tools/bench

bench-vector: build
	@tools/setup bench
	@tools/bench-vector

bench-embed: build
	@tools/setup bench
	@tools/bench-embed

bench-search: build
	@tools/setup bench
	@tools/bench-search $(if $(JUDGEMENTS),--judgements $(JUDGEMENTS))

check:
	@tools/setup check
	@tools/check

FAULT_SECONDS ?= 60

fault: build
	@tools/setup test
	@tests/fault/run.py --seconds $(FAULT_SECONDS) $(if $(FAULT_SEED),--seed $(FAULT_SEED))

clean:
	@rm -rf build
