"""The Spot Advisor's file: fetched once, read wholly or not at all."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.aws.read import advisor
from accounts.aws.read.advisor import AdvisorEntry, AdvisorError, AdvisorMalformed, AdvisorUnavailable, NotModified

RANGES = [{"index": index, "label": label} for index, label in enumerate(advisor.BANDS)]
SMALL = {"ranges": RANGES, "spot_advisor": {"eu-west-3": {"Linux": {"c5.large": {"r": 1, "s": 62}}}}}
RAW = json.dumps(SMALL).encode()


def with_entry(region="eu-west-3", system="Linux", instance_type="c5.large", entry=None) -> bytes:
    entry = {"r": 1, "s": 62} if entry is None else entry
    return json.dumps({**SMALL, "spot_advisor": {region: {system: {instance_type: entry}}}}).encode()


@contextmanager
def answering(status=200, body=b"", *, headers=(), announce=None):
    """A web server with one answer; yields its address and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(dict(self.headers))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) if announce is None else announce))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/spot-advisor-data.json", asked
    finally:
        server.shutdown()
        server.server_close()


def test_the_file_comes_with_its_digest_etag_and_date():
    headers = [("ETag", '"v1"'), ("Last-Modified", "Wed, 28 Feb 2024 09:30:00 GMT")]
    with answering(body=RAW, headers=headers) as (url, asked):
        fetched = advisor.fetch(url)
    assert fetched.raw == RAW
    assert fetched.sha256 == hashlib.sha256(RAW).hexdigest()
    assert fetched.etag == '"v1"'
    assert fetched.last_modified_at == datetime(2024, 2, 28, 9, 30, tzinfo=UTC)
    assert "If-None-Match" not in asked[0]


def test_a_compressed_file_is_the_same_file():
    with answering(body=gzip.compress(RAW), headers=[("Content-Encoding", "gzip")]) as (url, _):
        fetched = advisor.fetch(url)
    assert (fetched.raw, fetched.sha256) == (RAW, hashlib.sha256(RAW).hexdigest())


def test_a_file_that_we_have_is_not_sent_again():
    with answering(304) as (url, asked):
        assert advisor.fetch(url, etag='"v1"') == NotModified('"v1"')
    assert asked[0]["If-None-Match"] == '"v1"'


@pytest.mark.parametrize("status", [301, 302, 403, 404, 500, 503])
def test_any_other_answer_is_unavailable_and_nobody_is_followed(status):
    elsewhere = [("Location", "http://127.0.0.1:1/elsewhere")]
    with answering(status, headers=elsewhere) as (url, asked), pytest.raises(AdvisorUnavailable, match=str(status)):
        advisor.fetch(url)
    assert len(asked) == 1


def test_an_answer_that_breaks_off_is_unavailable():
    with answering(body=RAW[:20], announce=len(RAW)) as (url, _), pytest.raises(AdvisorUnavailable):
        advisor.fetch(url)


def test_a_machine_that_is_not_there_is_unavailable():
    with answering() as (url, _):
        pass
    with pytest.raises(AdvisorUnavailable):
        advisor.fetch(url, timeout=2)


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"x" * (advisor.MOST_BYTES + 1), "more than"),
        (gzip.compress(b"x" * (advisor.MOST_BYTES + 1)), "more than"),
        (gzip.compress(RAW)[:-10], "truncated"),
        (b"\x1f\x8b" + b"broken" * 10, "broken gzip"),
    ],
    ids=["huge", "bomb", "cut", "broken"],
)
def test_a_file_too_large_or_broken_is_malformed(body, reason):
    with answering(body=body) as (url, _), pytest.raises(AdvisorMalformed, match=reason):
        advisor.fetch(url)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/file", "spot-advisor.json", ""])
def test_only_web_addresses_are_fetched(url):
    with pytest.raises(ValueError, match="http"):
        advisor.fetch(url)


def test_an_entry_has_region_system_type_band_and_savings():
    assert advisor.parse(RAW) == [AdvisorEntry("eu-west-3", "Linux", "c5.large", 1, 62)]
    assert advisor.parse(with_entry(entry={"r": 4, "s": -62}))[0].savings_percent == -62


@pytest.mark.parametrize(
    "raw, reason",
    [
        (RAW[:-1], "truncated or not JSON"),
        (b"", "truncated or not JSON"),
        (b"<html>busy</html>", "truncated or not JSON"),
        (b"\xff\xfe\x00", "truncated or not JSON"),
        (b"[" * 100_000, "truncated or not JSON"),
        (b"[]", "file is no object"),
        (json.dumps({"ranges": RANGES}).encode(), "'spot_advisor' is missing"),
        (json.dumps({**SMALL, "spot_advisor": {}}).encode(), "empty"),
        (json.dumps({**SMALL, "spot_advisor": {"eu-west-3": {"Linux": {}}}}).encode(), "empty"),
        (json.dumps({**SMALL, "spot_advisor": {"eu-west-3": []}}).encode(), "not an object"),
        (json.dumps({"spot_advisor": SMALL["spot_advisor"]}).encode(), "'ranges' is missing"),
        (json.dumps({**SMALL, "ranges": RANGES[:4]}).encode(), "not the five bands"),
        (with_entry(entry={"r": 5, "s": 1}), "band 5 is out of range"),
        (with_entry(entry={"r": -1, "s": 1}), "band -1 is out of range"),
        (with_entry(entry={"s": 1}), "'r' is missing"),
        (with_entry(entry={"r": 1}), "'s' is missing"),
        (with_entry(entry={"r": "1", "s": 1}), "'r' is str, not int"),
        (with_entry(entry={"r": True, "s": 1}), "'r' is bool, not int"),
        (with_entry(entry={"r": 1.0, "s": 1}), "'r' is float, not int"),
        (with_entry(entry={"r": 1, "s": 101}), "savings of 101"),
        (with_entry(entry=7), "is no object"),
        (with_entry(region="<script>"), "does not name"),
        (with_entry(system="Plan 9"), "does not name"),
        (with_entry(instance_type="large"), "does not name"),
    ],
)
def test_a_file_that_is_not_as_we_know_it_is_refused_with_what_is_wrong(raw, reason):
    with pytest.raises(AdvisorMalformed, match=reason):
        advisor.parse(raw)


@given(st.integers(0, len(RAW) - 1), st.integers(0, 255))
def test_a_file_with_one_wrong_byte_is_read_or_refused_but_never_breaks_us(position, byte):
    raw = RAW[:position] + bytes([byte]) + RAW[position + 1 :]
    try:
        entries = advisor.parse(raw)
    except AdvisorError:
        return
    assert all(0 <= entry.band <= 4 for entry in entries)


@pytest.mark.parametrize(
    "name, entries, regions",
    [
        ("spot-advisor-data_2021-02-10.json.gz", 7_890, 21),
        ("spot-advisor-data_2024-02-28.json.gz", 20_887, 29),
        ("spot-advisor-data_2025-06-28.json.gz", 25_323, 33),
    ],
)
def test_the_real_files_of_three_years_are_read_whole(name, entries, regions):
    path = Path(os.environ.get("SPOTOPT_DATA", Path(__file__).parents[3] / "shared/data")) / "advisor" / name
    if not path.exists():
        pytest.skip("not run: no data")
    read = advisor.parse(gzip.decompress(path.read_bytes()))
    assert len(read) == entries
    assert len({entry.region for entry in read}) == regions
