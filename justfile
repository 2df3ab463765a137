# A convenience: everything here is a plain go command, and none of it needs just.

# the screen
default: run

run *ARGS:
    go run ./cmd/kassa {{ARGS}}

# the quick tests
test:
    go test ./...

# the tests on three real brokers (Java 17+, Maven, tmux)
e2e *ARGS:
    go test -tags e2e -p 1 -count 1 -timeout 15m ./... {{ARGS}}

# figures: start, fail-over on the screen, CPU
bench:
    go test -tags e2e -p 1 -run '^$' -bench . -benchtime 1x ./cmd/kassa ./kafkaops/...

# what a change must pass
ci:
    bash .ci/run

fmt:
    go tool gofumpt -w .
