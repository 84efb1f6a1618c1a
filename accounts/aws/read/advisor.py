"""What does AWS's public Spot Advisor file say of each type: how often is it interrupted, what does it save?"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

ACTIONS: tuple[str, ...] = ()  # a public file
MOST_BYTES = 20 * 1024 * 1024  # the file of 2025 has 4 MB
CHUNK = 64 * 1024
# What the bands 0 to 4 mean: percent of instances interrupted in the trailing month. Were AWS to cut them
# otherwise, every number derived from a band would be wrong without notice.
BANDS = ("<5%", "5-10%", "10-15%", "15-20%", ">20%")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]{0,20}\.[a-z0-9-]{2,14}")
OPERATING_SYSTEMS = ("Linux", "Windows")
LOWEST_SAVINGS = -1000  # Spot may be dearer than On-Demand: -62 has been seen


class AdvisorError(Exception):
    """The Advisor's file could not be had or read."""


class AdvisorUnavailable(AdvisorError):
    """No answer, or another than the file."""


class AdvisorMalformed(AdvisorError):
    """Not the file we know; the message says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class AdvisorFile:
    """`raw` is the JSON, uncompressed, and `sha256` its digest, so that both are the same however it was sent."""

    raw: bytes = field(repr=False)
    sha256: str
    etag: str | None
    last_modified_at: datetime | None


@dataclass(frozen=True, slots=True)
class NotModified:
    """The file is still the one with this etag."""

    etag: str


@dataclass(frozen=True, slots=True)
class AdvisorEntry:
    """`band` 0 (under 5 %) to 4 (over 20 %), see BANDS; `savings_percent` against On-Demand, below 0 when dearer."""

    region: str
    operating_system: str
    instance_type: str
    band: int
    savings_percent: int


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The address is configured; nobody who answers there may send us elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def fetch(url: str, *, etag: str | None = None, timeout: float = 20.0) -> AdvisorFile | NotModified:
    """The file at `url`, or NotModified when it still has the etag.

    Raises AdvisorUnavailable for no answer or a refusal, AdvisorMalformed for more than 20 MiB or broken compression;
    ValueError for an address that is not http or https.
    """
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url!r} is no http or https address")
    headers = {"Accept-Encoding": "gzip", **({"If-None-Match": etag} if etag else {})}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (scheme checked above)
    try:
        with urllib.request.build_opener(NoRedirects).open(request, timeout=timeout) as answer:
            body = answer.read(MOST_BYTES + 1)
            received = answer.headers
            if answer.length:  # bytes that were announced and never came
                raise AdvisorUnavailable(f"{url}: the answer ended {answer.length} bytes early")
    except urllib.error.HTTPError as error:
        if error.code == 304 and etag:
            return NotModified(etag)
        raise AdvisorUnavailable(f"{url} answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise AdvisorUnavailable(f"{url}: {error}") from error
    raw = _uncompressed(body)
    return AdvisorFile(raw, hashlib.sha256(raw).hexdigest(), received.get("ETag"), _date(received.get("Last-Modified")))


def _uncompressed(body: bytes) -> bytes:
    """At most 20 MiB, also when a small answer unpacks to more."""
    if body.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            body = unpacker.decompress(body, MOST_BYTES + 1)
        except zlib.error as error:
            raise AdvisorMalformed(f"broken gzip: {error}") from error
        if len(body) <= MOST_BYTES and not unpacker.eof:
            raise AdvisorMalformed("truncated: the gzip stream has no end")
    if len(body) > MOST_BYTES:
        raise AdvisorMalformed(f"more than {MOST_BYTES} bytes")
    return body


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None


def parse(raw: bytes) -> list[AdvisorEntry]:
    """Every entry of the file. AdvisorMalformed at the first thing that is not as we know it: all or nothing."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise AdvisorMalformed(f"truncated or not JSON: {error}") from error
    _check_bands(_member(document, "ranges", list, "file"))
    entries = [
        _entry(region, system, instance_type, entry)
        for region, systems in _items(_member(document, "spot_advisor", dict, "file"), "spot_advisor")
        for system, types in _items(systems, f"spot_advisor.{region}")
        for instance_type, entry in _items(types, f"spot_advisor.{region}.{system}")
    ]
    if not entries:
        raise AdvisorMalformed("empty: spot_advisor has no entries")
    return entries


def _check_bands(ranges: list[Any]) -> None:
    labels = {each.get("index"): each.get("label") for each in ranges if isinstance(each, dict)}
    if labels != dict(enumerate(BANDS)):
        raise AdvisorMalformed(f"ranges are {labels}, not the five bands {', '.join(BANDS)}")


def _entry(region: str, system: str, instance_type: str, entry: Any) -> AdvisorEntry:
    where = f"spot_advisor.{region}.{system}.{instance_type}"
    if not REGION.fullmatch(region) or system not in OPERATING_SYSTEMS or not INSTANCE_TYPE.fullmatch(instance_type):
        raise AdvisorMalformed(f"{where[:200]!r} does not name a region, an operating system and an instance type")
    band, savings = _member(entry, "r", int, where), _member(entry, "s", int, where)
    if band not in range(len(BANDS)):
        raise AdvisorMalformed(f"{where}: band {band} is out of range 0 to {len(BANDS) - 1}")
    if not LOWEST_SAVINGS <= savings <= 100:
        raise AdvisorMalformed(f"{where}: savings of {savings} % are out of range")
    return AdvisorEntry(region, system, instance_type, band, savings)


def _member(document: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(document, dict):
        raise AdvisorMalformed(f"{where} is no object")
    if key not in document:
        raise AdvisorMalformed(f"{where}: key {key!r} is missing")
    value = document[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise AdvisorMalformed(f"{where}: {key!r} is {type(value).__name__}, not {kind.__name__}")
    return value


def _items(document: Any, where: str) -> list[tuple[str, Any]]:
    if not isinstance(document, dict):
        raise AdvisorMalformed(f"{where} is {type(document).__name__}, not an object")
    return list(document.items())
