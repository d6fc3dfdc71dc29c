"""What the workers in Python share: orders from standard input, nodes counted
once each, answers to standard output. See README.md."""

import json
import multiprocessing
import os
import sys
import threading
import time

FANOUT = int(os.environ["FLEET_FANOUT"])
MOST = 1 << 21

# Shared with processes that are forked: one byte a node, set when it is done, and
# the number of the walk.
_seen = multiprocessing.RawArray("B", MOST)
_walk = multiprocessing.RawValue("q", 0)


def children(w, d, p):
    return [(w, d - 1, p * FANOUT + i + 1) for i in range(FANOUT)] if d > 0 else []


def done(w, p):
    if w == _walk.value:
        _seen[p] = 1


def say(word):
    sys.__stdout__.write(json.dumps(word) + "\n")
    sys.__stdout__.flush()


def serve(post):
    """Does what it is told in a thread of its own; post(w, d, p) posts a root."""

    def orders():
        for line in sys.stdin:
            order = json.loads(line)
            nodes = sum(FANOUT**level for level in range(order["depth"] + 1))
            _seen[:] = bytes(MOST)
            _walk.value = order["walk"]
            began = time.perf_counter()
            post(order["walk"], order["depth"], 0)
            seen = memoryview(_seen).cast("B")
            count = 0
            while count < nodes:
                time.sleep(0.02)
                count = bytes(seen[:nodes]).count(1)
            say({"nodes": count, "seconds": time.perf_counter() - began})
        os._exit(0)

    threading.Thread(target=orders, daemon=True).start()
