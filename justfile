# Recipes for contributors; CONTRIBUTING.md explains them. Install `just` with `cargo install just`.

set positional-arguments

# Debian keeps mariadbd in /usr/sbin, which the PATH of an ordinary user may lack.
export PATH := env("PATH") + ":/usr/sbin:/sbin"

[private]
default:
    @just --list --unsorted

# Run the unit tests of all crates, or those whose names contain NAME
unit *NAME:
    #!/usr/bin/env bash
    set -euo pipefail
    if cargo nextest --version >/dev/null 2>&1; then
      cargo nextest run --locked --lib "$@"
    else
      cargo test --locked --lib -- "$@"
    fi

# Run every test whose name contains NAME, such as `just test simulation::`
test NAME *ARGS:
    cargo test --locked --tests -- "$@"

# Run all tests and the package's; installs MariaDB from Debian if it is missing
all:
    tests/run

# Run what CI runs: lints, dependencies, all tests
ci:
    .ci/run

# Check formatting, lints and dependencies
lint:
    cargo fmt --all --check
    cargo clippy --all-targets --locked -- -D warnings
    .ci/deny

# Regenerate golden files, generated pages and snapshots; review their diff before you commit
golden:
    INSTA_UPDATE=always cargo test --locked --lib --quiet
    REGENERATE=1 cargo test --locked --test promises -- golden:: observed:: house::
    git status --short

# Build the book of docs/ into target/book; without mdbook, build the API documentation
docs:
    #!/usr/bin/env bash
    set -euo pipefail
    if command -v mdbook >/dev/null; then
      mdbook build
      echo "target/book/index.html"
    else
      echo "mdbook is not installed (cargo install mdbook): building the API documentation instead" >&2
      cargo doc --locked --no-deps --document-private-items
    fi

# Measure, such as `just bench delivery --orders 100000`; docs/PERFORMANCE.md lists the scenarios
bench *ARGS="first-sync --orders 100000":
    cargo bench --locked --bench pipeline -- {{ ARGS }}

# Simulate days in virtual time, one per seed
simulate SEEDS="1000":
    cargo run --locked --release --example simulate -- --seeds {{ SEEDS }}

# Kill the real daemon again and again while it works against MariaDB and MySQL
kills COUNT="100":
    ORDERFEED_KILLS={{ COUNT }} cargo test --locked --test promises main_job:: -- --nocapture

# Plant one bug per invariant and check that the tests notice, such as `just bugs I2 I7`
bugs *NAMES:
    tests/bugs/run "$@"

# Fuzz all targets, MINUTES in all; needs cargo-fuzz and a nightly toolchain
fuzz MINUTES="60" *TARGETS:
    tests/fuzz/long "$@"

# Build the Debian package and take it through installation, upgrade and removal in a copy of this machine; needs root
package:
    tests/package/install
