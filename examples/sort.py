#!/usr/bin/env python3
"""Sorts the lines of a file that need not fit into memory, by a join.

    sort.py cut FILE OUT            the node: a child for each part of the file
    sort.py part FILE OUT FROM TO   a child: sorts the lines in its part
    sort.py merge FILE OUT          the reduce of the node: merges the parts

Each step may run more than once, also at the same time, so each writes a file
beside the one that it makes and renames it: who comes later writes the same again.
"""

import contextlib
import heapq
import json
import os
import sys

PART = 1 << 20  # bytes


def say(what, value):
    with os.fdopen(os.dup(int(os.environ["RAMIFY_FD"])), "w", encoding="utf-8") as ramify:
        print(json.dumps({what: value}), file=ramify)


def cuts(file):
    """The offsets at which the parts of a file begin, and its end: all after a line."""
    size = os.path.getsize(file)
    at = [0]
    with open(file, "rb") as lines:
        while at[-1] < size:
            lines.seek(min(at[-1] + PART, size))
            lines.readline()
            at.append(min(lines.tell(), size))
    return at


def part_of(out, begin):
    return os.path.join(out + ".parts", f"{begin:020d}")


@contextlib.contextmanager
def made(path):
    """A file that is there whole, or not at all."""
    unfinished = f"{path}.{os.getpid()}"
    try:
        with open(unfinished, "wb") as file:
            yield file
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise


def cut(file, out):
    try:
        at = cuts(file)
    except OSError as error:
        print(f"{file}: {error.strerror}", file=sys.stderr)  # what `ramify failed` shows
        sys.exit(66)  # sort.yaml says: no retry mends it
    os.makedirs(out + ".parts", exist_ok=True)
    for begin, end in zip(at, at[1:]):
        params = {"file": file, "out": out, "from": str(begin), "to": str(end)}
        say("child", {"job": "sort-part", "id": f"{file} from byte {begin}", "params": params})


def sort_part(file, out, begin, end):
    with open(file, "rb") as whole:
        whole.seek(begin)
        lines = whole.read(end - begin).splitlines()
    with made(part_of(out, begin)) as part:
        part.writelines(line + b"\n" for line in sorted(lines))
    say("count", {"objects": len(lines), "bytes": end - begin})


def merge(file, out):
    node = json.load(sys.stdin)
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(open(part_of(out, begin), "rb")) for begin in cuts(file)[:-1]]
        with made(out) as merged:
            lines = 0
            for line in heapq.merge(*parts):
                merged.write(line)
                lines += 1
    if lines != node["account"]["objects"]:
        sys.exit(f"{out}: {lines} lines were merged, and {node['account']['objects']} were sorted")
    say("row", {"sorted": out, "lines": lines, "parts": len(parts)})


if __name__ == "__main__":
    step, *args = sys.argv[1:]
    try:
        if step == "cut":
            cut(*args)
        elif step == "part":
            sort_part(args[0], args[1], int(args[2]), int(args[3]))
        else:
            merge(*args)
    except OSError as error:
        sys.exit(f"{step}: {error}")  # what `ramify failed` shows; it is tried again
