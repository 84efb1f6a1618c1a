"""What does the Spot Advisor's public file say today?"""

from __future__ import annotations

import gzip
import hashlib
import json
from functools import cache

from spotopt.local.faults import AdvisorMode
from spotopt.local.market import DATA
from spotopt.local.wire import Answer

FILE = DATA / "spot-advisor-data_2024-02-28.json.gz"
PUBLISHED = "Wed, 28 Feb 2024 00:00:00 GMT"


@cache
def content(mode: AdvisorMode) -> bytes:
    good = gzip.decompress(FILE.read_bytes())
    if mode is AdvisorMode.TRUNCATED:
        return good[: len(good) // 2]
    if mode is AdvisorMode.MALFORMED:
        return b"<html><body>503 Slow Down</body></html>"
    if mode is AdvisorMode.DIFFERENT:
        return _turned_over(good)
    return good


def _turned_over(good: bytes) -> bytes:
    """A well-formed file in which the best bucket became the worst, and the other way round."""
    data = json.loads(good)
    for systems in data["spot_advisor"].values():
        for types in systems.values():
            for entry in types.values():
                entry["r"] = 4 - entry["r"]
    return json.dumps(data).encode()


def advisor_answer(mode: AdvisorMode, if_none_match: str) -> Answer:
    """As S3 serves it: ETag, Last-Modified, 304 for what the caller has."""
    if mode is AdvisorMode.GONE:
        xml = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
        return Answer(404, xml, "application/xml")
    body = content(mode)
    etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    headers = (("ETag", etag), ("Last-Modified", PUBLISHED))
    if if_none_match == etag:
        return Answer(304, b"", "application/json", headers)
    return Answer(200, body, "application/json", headers)
