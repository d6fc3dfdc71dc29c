#!/usr/bin/env python3
"""The reduce of the job `usage`: what a folder and all below it hold.

It runs once all folders below have settled, with their sums in the node that
stands on standard input.
"""

import json
import os
import sys

node = json.load(sys.stdin)
row = {"path": node["params"]["path"], "files": node["account"]["objects"], "bytes": node["account"]["bytes"]}
with os.fdopen(int(os.environ["RAMIFY_FD"]), "w", encoding="utf-8") as ramify:
    print(json.dumps({"row": row}), file=ramify)
