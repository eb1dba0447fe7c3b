#!/usr/bin/env bash
# Starts a NATS server and three nodes on the loopback address, has them do a run, and stops them all. `cluster.sh N` has N
# numbers in the run. NATS_SERVER names the server's program, if it is not on the path.
set -euo pipefail
cd "$(dirname "$0")/.."
server=${NATS_SERVER:-nats-server}
command -v "$server" >/dev/null || { printf 'there is no %s: install it, or name it in NATS_SERVER\n' "$server" >&2; exit 1; }

cargo build --release --features nats,tracing --example cluster
program=${CARGO_TARGET_DIR:-target}/release/examples/cluster
files=$(mktemp -d)
started=()
# Also when it is interrupted.
trap 'kill "${started[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$files"' EXIT

# On a port that is free, which it writes into a file.
"$server" -js -sd "$files/jetstream" -a 127.0.0.1 -p -1 --ports_file_dir "$files" >"$files/server.log" 2>&1 &
started+=($!)
until compgen -G "$files/*.ports" >/dev/null; do
    kill -0 "${started[0]}" 2>/dev/null || { cat "$files/server.log" >&2; exit 1; }
    sleep 0.1
done
NATS_URL=$(grep -o 'nats://[^"]*' "$files"/*.ports | head -n 1)
export NATS_URL
printf 'the server listens at %s\n' "$NATS_URL"
for _ in 1 2 3; do
    "$program" node &
    started+=($!)
done
"$program" sum "${1:-1000000}"
