"""How long does a page of 1000 Spot prices take to read?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import numpy as np

from accounts.aws.client import core_session
from accounts.aws.read.ec2 import MOST_PER_PAGE
from spotopt.local.benches.ground import Ground
from spotopt.local.benches.measure import Row, at_most, medians

OPERATION = "DescribeSpotPriceHistory"
ITEM = """
        <item>
            <instanceType>{type}.{size}</instanceType>
            <productDescription>Linux/UNIX</productDescription>
            <spotPrice>{price:.6f}</spotPrice>
            <timestamp>{at:%Y-%m-%dT%H:%M:%S}.000Z</timestamp>
            <availabilityZone>us-east-1{zone}</availabilityZone>
            <availabilityZoneId>use1-az{number}</availabilityZoneId>
        </item>"""
PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId>
    <spotPriceHistorySet>{items}
    </spotPriceHistorySet>
    <nextToken>EXAMPLE+token/of+the+next+page==</nextToken>
</DescribeSpotPriceHistoryResponse>"""


def rows(on: Ground) -> list[Row]:
    content = page(MOST_PER_PAGE)
    default, ours = parser_of(botocore.session.Session()), parser_of(core_session())
    assert ours(content) == default(content), "our timestamps are not botocore's"
    took = medians({"default": lambda: default(content), "ours": lambda: ours(content)}, times=on.sized(15, least=3))
    note = "floor: botocore as it comes, the same bytes"
    return [Row("parse a page of 1000", took["ours"] * 1000, "ms", took["default"] * 1000, at_most(0.4), note)]


def page(n: int) -> bytes:
    """An answer as EC2 writes it: newest first, some 350 bytes a change."""
    random = np.random.default_rng(1)
    newest = datetime(2026, 11, 20, 12, tzinfo=UTC)
    items = [
        ITEM.format(
            type=random.choice(["m5", "c6g", "r6i", "g4dn", "p3", "t3a", "x2iedn"]),
            size=random.choice(["large", "xlarge", "2xlarge", "24xlarge"]),
            price=random.lognormal(-2, 1.5),
            at=newest - timedelta(seconds=7 * row),
            zone="abcdef"[row % 6],
            number=1 + row % 6,
        )
        for row in range(n)
    ]
    return PAGE.format(items="".join(items)).encode()


def parser_of(session: botocore.session.Session) -> Callable[[bytes], dict[str, Any]]:
    """The function from an answer's bytes to its values that a client of this session would use."""
    service = session.get_service_model("ec2")
    parser = session.get_component("response_parser_factory").create_parser(service.protocol)
    shape = service.operation_model(OPERATION).output_shape

    def parse(body: bytes) -> dict[str, Any]:
        answer: dict[str, Any] = parser.parse({"body": body, "headers": {}, "status_code": 200}, shape)
        return answer

    return parse
