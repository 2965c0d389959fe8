#!/bin/bash
# SPDX-License-Identifier: MIT
#
# CPython with eight threads and PYTHONMALLOC=malloc: blocks made in one thread are dropped in
# another; zlib, hashlib and bz2 leave the interpreter's lock, so that threads really run at once.
. "$(dirname "$0")/lib/real.bash"

needs python3 python3

job() {
  PYTHONMALLOC=malloc PYTHONHASHSEED=0 python3 -S - <<'PYTHON'
import bz2, hashlib, queue, threading, zlib

work, done = queue.Queue(), queue.Queue()


def serve():
    while (number := work.get()) is not None:
        words = [f"{number}-{i * 7919 % 1000}" for i in range(2000)]
        text = " ".join(words).encode()
        packed = zlib.compress(text, 6) + bz2.compress(text[:20000])
        done.put((number, words, packed, hashlib.sha256(packed).hexdigest()))


threads = [threading.Thread(target=serve) for _ in range(8)]
for thread in threads:
    thread.start()
for number in range(400):
    work.put(number)
results = sorted(done.get() for _ in range(400))
for thread in threads:
    work.put(None)
for thread in threads:
    thread.join()
for number, words, packed, digest in results:
    print(number, words[number], len(packed), digest)

# Many short threads, each with blocks that outlive it.
kept = []
for start in range(0, 200, 20):
    batch = [threading.Thread(target=lambda n=n: kept.append((n, "x" * n))) for n in
             range(start, start + 20)]
    for thread in batch:
        thread.start()
    for thread in batch:
        thread.join()
print(sum(len(text) for _, text in sorted(kept)))
PYTHON
}

compare python3
