# SPDX-License-Identifier: MIT
# The demo's job for python3: records are made, written as JSON, read back, indexed and grouped.
import collections
import json
import random

random.seed(2024)
records = [
    {"id": number, "tags": random.sample(["a", "bb", "ccc", "dddd", "eeeee"], 3),
     "text": "lorem ipsum " * random.randrange(12), "value": random.random()}
    for number in range(30000)
]
text = json.dumps(records)
copy = json.loads(text)
assert copy == records
words = collections.Counter(word for record in copy for word in record["text"].split())
groups = collections.defaultdict(list)
for record in copy:
    groups[tuple(sorted(record["tags"]))].append(record["value"])
print(len(text), words.most_common(2))
for tags, values in sorted(groups.items()):
    print(tags, len(values), sum(sorted(values)))
