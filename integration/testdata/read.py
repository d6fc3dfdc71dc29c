"""Reads an inventory by its manifest, as a stranger does: with DuckDB, nothing of ours.

read.py FOLDER       prints the rows, a JSON object a line, null for what is unknown
read.py write FILE   makes a Parquet file with columns in an order and of types not ours
"""

import json
import re
import sys
from urllib.parse import unquote_plus

import duckdb

TYPES = {
    "bucket": "VARCHAR", "key": "VARCHAR", "versionid": "VARCHAR", "islatest": "BOOLEAN", "isdeletemarker": "BOOLEAN",
    "size": "BIGINT", "lastmodifieddate": "TIMESTAMP WITH TIME ZONE", "etag": "VARCHAR", "storageclass": "VARCHAR",
    "ismultipartuploaded": "BOOLEAN",
}


def text(s):
    return "'" + s.replace("'", "''") + "'"


def columns(manifest):
    """The columns that the manifest states, as the files name them, in order."""
    schema = manifest["fileSchema"]
    if schema.startswith("message"):
        return re.findall(r"(?:required|optional) \w+ (\w+)", schema)
    return [name.strip() for name in schema.split(",")]


def source(manifest, names, path):
    """A table of the rows of a file, as DuckDB reads it."""
    kinds = {name: TYPES[name.replace("_", "").lower()] for name in names}
    match manifest["fileFormat"]:
        case "CSV":
            return f"""read_csv({text(path)}, header=false, auto_detect=false, delim=',', quote='"', escape='"',
                compression='gzip', columns={ {name: 'VARCHAR' for name in names} })"""
        case "NDJSON":
            return f"read_json({text(path)}, format='newline_delimited', compression='zstd', columns={kinds})"
        case "Parquet":
            found = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet({text(path)})").fetchall()
            assert [(name, kind) for name, kind, *_ in found] == list(kinds.items()), found
            return f"read_parquet({text(path)})"
        case other:
            raise SystemExit(f"no format {other}")


def value(manifest, name):
    """An SQL expression for a column: dates in milliseconds, unknown as NULL."""
    plain, name = name.replace("_", "").lower(), f'"{name}"'
    if manifest["fileFormat"] == "CSV" and plain != "key":
        name = f"CAST(nullif({name}, '') AS {TYPES[plain]})"
    if TYPES[plain].startswith("TIMESTAMP"):
        return f"epoch_ms({name})"
    if TYPES[plain] == "VARCHAR":
        return f"nullif({name}, '')"
    return name


def read(folder):
    with open(folder + "/manifest.json", encoding="utf-8") as f:
        manifest = json.load(f)
    names = columns(manifest)
    plain = [name.replace("_", "").lower() for name in names]
    for file in manifest["files"]:
        path = folder + "/" + file["key"]
        values = ", ".join(value(manifest, name) for name in names)
        for row in duckdb.sql(f"SELECT {values} FROM {source(manifest, names, path)}").fetchall():
            o = dict(zip(plain, row))
            if manifest["fileFormat"] == "CSV" and "key" in o:
                o["key"] = unquote_plus(o["key"])
            print(json.dumps(o))
        if manifest["fileFormat"] == "Parquet":
            [(groups,)] = duckdb.sql(f"SELECT count(DISTINCT row_group_id) FROM parquet_metadata({text(path)})").fetchall()
            print(f"{groups} row groups", file=sys.stderr)


def write(path):
    duckdb.sql(f"""COPY (SELECT i * 3 AS size, 'GLACIER' AS storage_class, 'AES256' AS encryption_status,
            TIMESTAMP '2026-01-31 12:00:00.123456' + to_seconds(i) AS last_modified_date, [i, i] AS tags,
            CASE WHEN i % 2 = 0 THEN 'v' || i END AS version_id, i % 3 = 0 AS is_latest, 'k' || chr(10) || i AS key,
            'b' AS bucket, i % 5 = 0 AS is_delete_marker, 'e' AS e_tag FROM range(300000) t(i))
        TO {text(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 100000)""")


duckdb.sql("SET threads = 2")
duckdb.sql("SET TimeZone = 'UTC'")
if sys.argv[1] == "write":
    write(sys.argv[2])
else:
    read(sys.argv[1])
