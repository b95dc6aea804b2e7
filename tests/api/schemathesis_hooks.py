"""Half of the generated CIDs and indexes are replaced by ones that the node knows.

Loaded by Schemathesis; KNOWN_CIDS comes from the test. What would delete a dataset is left with the
generated CIDs.
"""

import json
import os
import zlib

import schemathesis

GOOD = {"filename": "naïve a.txt", "mimetype": "text/plain", "level": "INFO"}
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "50", "Upload-Offset": "0"}
KNOWN = json.loads(os.environ["KNOWN_CIDS"])
UPLOADS = json.loads(os.environ["KNOWN_UPLOADS"])

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
schemathesis.serializer.alias("application/x-tar", "application/octet-stream")


@schemathesis.hook
def map_headers(context, headers):
    """The paths of uploads speak tus: without its headers nothing but refusals would be seen."""
    if "/uploads" not in context.operation.path:
        return headers
    given = dict(headers or {})
    if zlib.crc32(json.dumps(given, default=str, sort_keys=True).encode()) % 4:
        return TUS | given
    return headers


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if not path_parameters:
        return path_parameters
    chosen = zlib.crc32(json.dumps(path_parameters, default=str, sort_keys=True).encode())
    if chosen % 2:
        return path_parameters
    known = dict(path_parameters)
    if "cid" in known and context.operation.method.upper() != "DELETE":
        known["cid"] = KNOWN[chosen // 2 % len(KNOWN)]
    if "uploadId" in known and UPLOADS:
        known["uploadId"] = UPLOADS[chosen // 2 % len(UPLOADS)]
    if "index" in known:
        known["index"] = str(chosen % 3)
    return known


@schemathesis.hook
def map_query(context, query):
    """What may be waited for is not waited for long; half of the names and types are good ones."""
    if not query:
        return query
    known = dict(query)
    if str(known.get("timeout", ""))[:1].isdigit():
        known["timeout"] = "0.2s"
    for name, value in GOOD.items():
        if name in known and zlib.crc32(str(known[name]).encode()) % 2:
            known[name] = value
    return known
