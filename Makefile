# The only entry points. `make demo` shows the main job, `make test` runs everything that CI runs.
.PHONY: demo test bench fuzz replay soak format release build tools

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

# One seed of the simulation again, with every step: `make replay SEED=17 SCENARIO=mixed`.
replay:
	swift build --product skls-simulation
	.build/debug/skls-simulation --seed $(SEED) --scenario $(SCENARIO) --trace

# Fresh seeds of the simulation: `make soak SECONDS=3600`.
soak:
	swift build -c release --product skls-simulation
	.build/release/skls-simulation --seconds $(or $(SECONDS),60)

format:
	swift format format -i -r --parallel Package.swift Sources Tests Benchmarks Fuzz/Sources

release: tools
	swift build -c release
