# The commands of CONTRIBUTING.md. CI runs the same: most targets are steps of .ci/run.

.DEFAULT_GOAL := help
.PHONY: help build test race lint fuzz docs web emulate demo bench bench-push bench-rivals ci hooks

help: ## Show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

build: ## Build the binary, bin/peal
	go build -o bin/peal ./cmd/peal

test: ## Run all tests
	go test ./...

race: ## Run the tests with the race detector (needs a C compiler)
	.ci/run race

lint: ## Check format, go.mod, go vet and golangci-lint (built at the first run)
	.ci/run format tidy vet lint

fuzz: ## Run each fuzz target, for FUZZ_TIME (default 30s)
	FUZZ_TIME=$${FUZZ_TIME:-30s} .ci/run fuzz

docs: ## Write docs/config.md anew, and check the docs
	go generate ./internal/config
	go test -count=1 ./test/docs

web: ## Build the module for browsers, web/client (needs Node and npm)
	cd web/client && npm ci && npm run build

emulate: ## Run the emulated WhatsApp provider alone
	go run ./cmd/peal emulate wasender

demo: ## Run everything in one process and send one notification
	go run ./cmd/peal dev

bench: ## Measure, about 3 minutes (Linux)
	cd bench && go run . run

bench-push: ## Measure pushes over FCM and APNs, about 12 minutes (Linux)
	cd bench && go run . push

bench-rivals: ## Measure Peal beside asynq and BullMQ (Linux; Redis, PostgreSQL, Node)
	cd bench && go run . rivals $(BENCH_RIVALS)

ci: ## Run everything that CI runs
	.ci/run

hooks: ## Check format and go vet before every commit
	git config core.hooksPath .githooks
