#!/bin/bash
# SPDX-License-Identifier: MIT
#
# OpenSSL: digests, ciphers, signatures and certificates; only what has one right answer.
. "$(dirname "$0")/lib/real.bash"

needs openssl openssl

make_input() {
  lines 30000 >"$input/words"
  openssl genrsa -out "$input/key" 2048 2>/dev/null
  openssl req -new -x509 -key "$input/key" -subj /CN=test -days 30 -out "$input/certificate"
}

job() {
  local name
  for name in sha256 sha3-512 blake2b512; do openssl dgst -"$name" <"$input/words"; done
  openssl enc -aes-256-ctr -pbkdf2 -iter 20000 -S 0102030405060708 -pass pass:secret \
    -in "$input/words" -out words.enc
  openssl enc -d -aes-256-ctr -pbkdf2 -iter 20000 -S 0102030405060708 -pass pass:secret \
    -in words.enc | cmp - "$input/words"
  openssl dgst -sha256 -sign "$input/key" -out words.sig "$input/words"
  openssl x509 -in "$input/certificate" -noout -text
  openssl rsa -in "$input/key" -check -noout
  openssl verify -CAfile "$input/certificate" "$input/certificate"
}

compare openssl
