"""Our quick reader of timestamps says what botocore's says."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import botocore.session
import pytest
from botocore.parsers import EC2QueryParser
from botocore.utils import parse_timestamp as botocore_parse_timestamp
from hypothesis import example, given
from hypothesis import strategies as st

from accounts.aws.timestamps import parse_timestamp
from tests.accounts.scripted_aws import price_page

AWARE = st.datetimes(datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("2100-01-01"), timezones=st.just(UTC))


def outcome(parse, value):
    try:
        at = parse(value)
    except (ValueError, RuntimeError) as error:
        return type(error)
    return at, at.utcoffset()


@given(AWARE, st.sampled_from(["seconds", "milliseconds", "microseconds"]))
def test_iso_times_are_the_same_instant(at, timespec):
    text = at.isoformat(timespec=timespec).replace("+00:00", "Z")
    assert parse_timestamp(text) == botocore_parse_timestamp(text)
    assert parse_timestamp(text).utcoffset() == botocore_parse_timestamp(text).utcoffset()


@given(AWARE, st.sampled_from(["+00:00", "-05:30", "+0200", ""]))
def test_other_offsets_are_left_to_botocore(at, offset):
    text = at.strftime("%Y-%m-%dT%H:%M:%S") + offset
    assert outcome(parse_timestamp, text) == outcome(botocore_parse_timestamp, text)


@given(st.text(alphabet="0123456789-:TZ.,+W ", max_size=30))
@example("2024-02-28T24:00:00Z")
@example("2024-02-30T00:00:00Z")
@example("2024-W09-3T00:00:00Z")
@example("20240228T093000Z")
@example("2024-02-28T09:30:00,5Z")
@example("2024-02-28T09:30:00.123456789Z")
@example("2024-02-28T09:30Z")
@example("1709112600")
@example("")
def test_any_other_text_ends_as_it_does_with_botocore(text):
    assert outcome(parse_timestamp, text) == outcome(botocore_parse_timestamp, text)


@pytest.mark.parametrize("value", [1709112600, 1709112600.5, "Wed, 28 Feb 2024 09:30:00 GMT", "20240228"])
def test_numbers_and_mail_dates_are_read_too(value):
    assert parse_timestamp(value) == botocore_parse_timestamp(value)


def test_a_page_of_timestamps_takes_less_than_a_fifth_of_botocores_time():
    texts = [f"2024-02-28T09:{minute:02}:{second:02}.000Z" for minute in range(5) for second in range(60)]

    def seconds(parse) -> float:
        began = time.process_time()
        for text in texts:
            parse(text)
        return time.process_time() - began

    ours, theirs = (min(seconds(parse) for _ in range(3)) for parse in (parse_timestamp, botocore_parse_timestamp))
    assert ours < theirs / 5


def test_a_page_of_a_thousand_prices_is_parsed_in_less_than_two_fifths_of_botocores_time():
    """The goal of performance.md, measured on botocore's own parser of EC2's answers."""
    shape = botocore.session.Session().get_service_model("ec2").operation_model("DescribeSpotPriceHistory").output_shape
    _, text = price_page([("0.0312", "2026-03-01T11:30:00.000Z")] * 1000)
    answer = {"body": text.encode(), "headers": {}, "status_code": 200}

    def seconds(parser: EC2QueryParser) -> float:
        began = time.process_time()
        parser.parse(answer, shape)
        return time.process_time() - began

    default, ours = EC2QueryParser(), EC2QueryParser(timestamp_parser=parse_timestamp)
    best = [min(seconds(parser) for _ in range(5)) for parser in (default, ours)]
    assert best[1] <= 0.4 * best[0]
