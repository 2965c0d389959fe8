# SPDX-License-Identifier: MIT
#
# A job for the Python interpreter, run with PYTHONMALLOC=malloc so that each object is a block:
# records that are built, indexed, serialised and parsed, and text that is cut and counted. The
# argument scales the work; the last line is a checksum, the same whatever malloc is underneath.
import json
import re
import sys


def records_make(count):
    return [{"id": number, "name": f"user {number * 7919 % 10007}", "score": number / 7,
             "tags": [str(number), "x" * (number % 60)]} for number in range(count)]


def index_by_name(records):
    index = {}
    for record in records:
        index.setdefault(record["name"], []).append(record)
    return index


def words_count(text):
    counts = {}
    for word in re.findall(r"[a-z]+|[0-9]+", text):
        counts[word] = counts.get(word, 0) + 1
    return counts


def main():
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    checksum = 0
    for turn in range(3 * scale):
        records = records_make(20000 + turn * 1000)
        parsed = json.loads(json.dumps(records))
        index = index_by_name(parsed)
        counts = words_count(" ".join(record["name"] for record in parsed))
        best = sorted(parsed, key=lambda record: (record["name"], -record["id"]))[:10]
        found = len(index) + counts["user"] + sum(record["id"] for record in best)
        checksum = (checksum * 31 + found) % 1000000007
    print(checksum)


main()
