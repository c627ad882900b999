# The only entry points. `make demo` shows the main job, `make test` runs everything that CI runs.
.PHONY: demo test bench fuzz format release build tools

build: tools
	swift build

# What building and testing need beside Swift, git and make; installs it when it may, else says what to type.
tools:
	@scripts/install-tools

demo: build
	@scripts/demo

test: tools
	scripts/test

bench: tools
	swift build -c release
	scripts/bench

# `make fuzz SECONDS=600` runs longer.
fuzz: tools
	scripts/fuzz $(SECONDS)

format:
	swift format format -i -r --parallel Package.swift Sources Tests Benchmarks Fuzz/Sources

release: tools
	swift build -c release
