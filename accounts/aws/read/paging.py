"""How are all pages of a call read, once each?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from botocore import xform_name

from accounts.aws.client import AwsSession
from accounts.aws.errors import EndlessPages, translated_errors

MOST_IDS = 100  # safety.md 1: Describe by ids in at most 100


def pages(
    session: AwsSession, service: str, operation: str, *, region: str = "", **request: Any
) -> Iterator[dict[str, Any]]:
    """Each page's answer, empty ones too. Raises EndlessPages when AWS names a page twice, and any AwsError."""
    call = getattr(session.client(service, region), xform_name(operation))
    seen: set[str] = set()
    while True:
        with translated_errors(operation):
            answer: dict[str, Any] = call(**request)
        yield answer
        token = answer.get("NextToken")
        if not token:
            return
        if token in seen:
            raise EndlessPages("RepeatedToken", f"page {len(seen) + 1} leads back to one already read", operation)
        seen.add(token)
        request["NextToken"] = token


def batches(ids: Iterable[str], what: str) -> Iterator[list[str]]:
    """The ids in lots of at most 100. ValueError for no ids: EC2 answers an empty list with the whole account."""
    remaining = iter(dict.fromkeys(ids))
    batch = list(islice(remaining, MOST_IDS))
    if not batch:
        raise ValueError(f"no {what} given; to AWS an empty list means all")
    while batch:
        yield batch
        batch = list(islice(remaining, MOST_IDS))


def tags_of(answer: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in answer.get("Tags") or ()}


def filters(**values: str | Iterable[str]) -> list[dict[str, Any]]:
    """EC2's Filters; `vpc_id="vpc-1"` becomes the filter vpc-id."""
    return [
        {"Name": name.replace("_", "-"), "Values": [value] if isinstance(value, str) else list(value)}
        for name, value in values.items()
    ]
