#!/usr/bin/env bash
# keys.sh DIR HOST: an authority, a certificate for the server HOST, and an nkey for each of the two roles, in DIR. For a
# first try: in production, take certificates from the authority that you have, and make keys with `nk`.
set -euo pipefail
[ $# = 2 ] || { printf 'usage: %s DIR HOST\n' "$0" >&2; exit 2; }
dir=$1 host=$2
umask 077
mkdir -p "$dir"

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
key "$dir/ca.key"
openssl req -x509 -new -key "$dir/ca.key" -subj '/CN=authority of a first try' -days 365 -out "$dir/ca.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
key "$dir/server.key"
openssl req -new -key "$dir/server.key" -subj "/CN=$host" -out "$dir/server.csr"
openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 365 \
    -extfile <(printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\n' "$host") -out "$dir/server.pem" 2>/dev/null
rm "$dir/server.csr"

# An nkey is an Ed25519 key in base32, with a prefix and a checksum (CRC-16/XMODEM): github.com/nats-io/nkeys.
nkey() {
    openssl genpkey -algorithm ED25519 -outform DER -out "$dir/$1.der"
    openssl pkey -in "$dir/$1.der" -inform DER -pubout -outform DER -out "$dir/$1.pub.der"
    python3 - "$dir/$1" <<'PYTHON'
import base64, binascii, sys

path = sys.argv[1]
seed, public = (open(path + end, "rb").read()[-32:] for end in (".der", ".pub.der"))
SEED, USER = 18 << 3, 20 << 3

def encode(prefix, key):
    raw = bytes(prefix) + key
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")

open(path + ".nk", "w").write(encode([SEED | USER >> 5, (USER & 31) << 3], seed) + "\n")
print(encode([USER], public))
PYTHON
    rm "$dir/$1.der" "$dir/$1.pub.der"
}
printf 'export COORDINATOR_KEY=%s\n' "$(nkey coordinator)"
printf 'export NODE_KEY=%s\n' "$(nkey node)"
printf 'Set these two in the environment of the server, or write them into its configuration.\n' >&2
