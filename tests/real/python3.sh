#!/bin/bash
# SPDX-License-Identifier: MIT
#
# CPython with every object straight from malloc (PYTHONMALLOC=malloc instead of its own arenas):
# containers, strings, big numbers, JSON, regular expressions, compression, a cycle collector run.
. "$(dirname "$0")/lib/real.bash"

needs python3 python3

job() {
  PYTHONMALLOC=malloc PYTHONHASHSEED=0 python3 -S - <<'PYTHON'
import collections, gc, hashlib, json, random, re, zlib

random.seed(2024)
records = [
    {"id": i, "tags": random.sample(["a", "bb", "ccc", "dddd", "eeeee"], 3), "x": random.random(),
     "text": "".join(random.choices("lorem ipsum dolor ", k=random.randrange(120)))}
    for i in range(20000)
]
text = json.dumps(records)
assert json.loads(text) == records
print(len(text), hashlib.sha256(text.encode()).hexdigest())

counts = collections.Counter(re.findall(r"[a-z]+", text))
print(counts.most_common(20))
by_tag = collections.defaultdict(list)
for record in records:
    by_tag[tuple(sorted(record["tags"]))].append(record)
for tags, group in sorted(by_tag.items()):
    print(tags, len(group), sum(r["x"] for r in group))


class Node:
    def __init__(self, parent):
        self.parent, self.children = parent, []


for round in range(3):
    root = Node(None)
    for _ in range(10000):
        root.children.append(Node(root))
    del root
print("collected", gc.collect() >= 0)
print(len(str(3 ** 9000)), hashlib.md5(str(7 ** 5000).encode()).hexdigest())
packed = [zlib.compress(text[i:i + 65536].encode(), 9) for i in range(0, len(text), 65536)]
print(len(packed), zlib.crc32(b"".join(packed)))
assert "".join(zlib.decompress(p).decode() for p in packed) == text
PYTHON
}

compare python3
