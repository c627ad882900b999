# The only entry points. `make demo` shows the main job, `make test` runs everything that CI runs.
.PHONY: demo test bench bench-scale bench-sessions load fuzz openapi replay soak mutants format release build tools certs

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

# Commands in containers: round trip, throughput of 1 GiB and the memory it takes.
bench-sessions: tools
	swift build -c release --product skls
	swift build -c release --product skls-agent
	scripts/bench --sessions

# Many clients at once, clients that vanish and clients that mean harm: `make load ROUNDS=20` repeats it oftener. What a few of them do is part of `make test`.
load: tools
	swift build -c release --product skls
	swift build -c release --product skls-agent
	scripts/load $(if $(ROUNDS),--rounds $(ROUNDS))

# The controller with up to 100,000 records under virtual time: minutes, and some GB of memory.
bench-scale: tools
	swift build -c release --product scale-benchmark
	"$$(swift build -c release --show-bin-path)/scale-benchmark"

# `make fuzz SECONDS=600` runs longer.
fuzz: tools
	scripts/fuzz $(SECONDS)

# The servers against docs/openapi.yaml for longer than `make test` does: `make openapi SECONDS=600 SEED=7`.
openapi: build
	scripts/test-openapi --max-time $(or $(SECONDS),300) --seed $(or $(SEED),1)

# One seed of the simulation again, with every step: `make replay SEED=17 SCENARIO=mixed`.
replay:
	swift build --product skls-simulation
	.build/debug/skls-simulation --seed $(SEED) --scenario $(SCENARIO) --trace

# Fresh seeds of the simulation: `make soak SECONDS=3600`.
soak:
	swift build -c release --product skls-simulation
	.build/release/skls-simulation --seconds $(or $(SECONDS),60)

# Plants faults in the controller, one at a time, and demands that the simulation finds each: `make mutants SEEDS=500`.
mutants: tools
	SEEDS=$(SEEDS) scripts/mutants

# A test authority with certificates of a server and a client: `make certs DIRECTORY=certs HOSTS="build.example 10.0.0.5"`; docs/api-access.md.
certs:
	@scripts/certs $(or $(DIRECTORY),certs) $(HOSTS)

format:
	swift format format -i -r --parallel Package.swift Sources Tests Benchmarks Fuzz/Sources

release: tools
	swift build -c release
