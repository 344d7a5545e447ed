SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The tools are built from source by Go itself, each at one version, with the
# dependencies its own authors tested it with.
GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK   := go run golang.org/x/vuln/cmd/govulncheck@v1.9.0
DEADCODE      := go run golang.org/x/tools/cmd/deadcode@v0.47.0

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  := -s -w -X github.com/eventpulse/eventpulse/cmd.version=$(VERSION)
FUZZTIME ?= 30s
IMAGE    ?= eventpulse

# What `make generate` writes.
GENERATED := configs/eventpulse.yaml docs/configuration.md docs/metrics.md

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: dev
dev: ## run the whole pipeline in one process, with nothing else installed
	go run . dev

.PHONY: build
build: ## build bin/eventpulse, static
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/eventpulse .

# What a change is compared to: the branch it will be merged into, where it is
# known here.
BASE ?= $(shell git rev-parse --verify --quiet origin/main || git rev-parse --verify --quiet main || echo HEAD)

.PHONY: check
check: ## look at a change in seconds: vet, unit tests without servers, lint of what changed
	go vet ./...
	go test -short -json ./... | go run ./test/testsummary
	$(GOLANGCI_LINT) run --new-from-merge-base=$(BASE)

.PHONY: test
test: setup ## run every test with the race detector, against real servers
	go test -race ./...
	go test -race -tags chaos ./pkg/fault

.PHONY: setup
setup: ## install what the tests need and is missing (apt)
	@.ci/setup

.PHONY: cover
cover: setup ## run the tests and show how much of the code they reach
	@mkdir -p bin
	go test -coverpkg=./cmd/...,./pkg/... -coverprofile=bin/cover.out ./...
	go tool cover -func=bin/cover.out | tail -1
	go tool cover -html=bin/cover.out -o bin/cover.html

.PHONY: microbench
microbench: setup ## run the benchmarks of single functions
	go test -run '^$$' -bench . -benchmem ./...

BENCH ?=
.PHONY: bench
bench: setup ## measure the program by the limits of this machine, in an hour or more (BENCH='--run single,drain --rounds 3')
	go run ./test/bench $(BENCH)

.PHONY: fuzz
fuzz: ## run every fuzz test for FUZZTIME (30s)
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' pkg | while IFS=: read -r file func; do \
		go test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")"; \
	done

CHAOS ?=
.PHONY: chaos
chaos: setup ## inject faults everywhere under load and count what is stored (CHAOS='--run redis-* --duration 10s')
	go run ./test/chaos $(CHAOS)

.PHONY: generate
generate: ## write the files that are made from the code
	go test ./pkg/config ./pkg/app -run 'Example|Reference' -count=1 -update

.PHONY: generated
generated: # the files that generate writes, for .ci/run
	@echo $(GENERATED)

.PHONY: fmt
fmt: ## format the code
	$(GOLANGCI_LINT) fmt

.PHONY: lint
lint: ## look for mistakes, and for what does not fit the rest
	$(GOLANGCI_LINT) run

CROSS ?= darwin/arm64 windows/amd64
.PHONY: cross
cross: ## compile for systems that are not this one (CROSS='darwin/amd64 windows/arm64')
	@for target in $(CROSS); do \
		echo "$$target"; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} go build ./cmd/... ./pkg/...; \
	done

.PHONY: deadcode
deadcode: ## look for functions that nothing calls
	@found=$$($(DEADCODE) -test ./...); if [[ -n $$found ]]; then echo "$$found"; exit 1; fi

.PHONY: vuln
vuln: ## look for known vulnerabilities in what the code calls
	$(GOVULNCHECK) ./...

.PHONY: docker
docker: ## build the container image
	docker build --build-arg VERSION=$(VERSION) --tag $(IMAGE):$(VERSION) --tag $(IMAGE):latest .

.PHONY: up
up: ## build and start everything in containers
	docker compose up --build --detach

.PHONY: down
down: ## stop the containers; the data stays
	docker compose down

.PHONY: ci
ci: ## run everything that must pass before a change is merged
	.ci/run

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
