#!/usr/bin/env python3
"""Walks a tree of folders: one node a folder.

Ramify runs it once for each folder. What it says on the file descriptor that
RAMIFY_FD names: a row for each file, their number and bytes, and a child for
each folder. See jobs.yaml beside it.

    walk.py FOLDER [--no-rows]
"""

import json
import os
import sys

path = sys.argv[1]
rows = "--no-rows" not in sys.argv[2:]

with os.fdopen(int(os.environ["RAMIFY_FD"]), "w", encoding="utf-8") as ramify:

    def say(what, value):
        print(json.dumps({what: value}), file=ramify)

    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError) as error:
        print(f"{path}: {error.strerror}", file=sys.stderr)  # what `ramify failed` shows
        sys.exit(66)  # jobs.yaml says: no retry brings it back

    files = size = 0
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            say("child", {"id": entry.path, "params": {"path": entry.path}})
        elif entry.is_file(follow_symlinks=False):
            bytes_ = entry.stat(follow_symlinks=False).st_size
            files += 1
            size += bytes_
            if rows:
                say("row", {"path": entry.path, "size": bytes_})
    say("count", {"objects": files, "bytes": size})
