"""What does an instance cost On-Demand? The Price List API over real prices."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.loaders

from spotopt.local.catalogue import described_type
from spotopt.local.market import DATA
from spotopt.local.wire import Answer, Call, Refusal

FILES = ("ondemand_linux_karpenter.csv.gz", "ondemand_linux_sparecores.csv.gz")
PAGE = 100  # GetProducts: MaxResults 1 to 100
TERM, RATE = "JRTCKXETXF", "6YS6EN2CT7"  # AWS's codes for On-Demand, and for its hourly rate


@dataclass(frozen=True, slots=True)
class OnDemandPrice:
    """Linux, shared tenancy, no software of AWS's: all that the data holds."""

    region: str
    instance_type: str
    usd_per_hour: str
    as_of: str

    @property
    def sku(self) -> str:
        digest = hashlib.sha256(f"{self.region}/{self.instance_type}".encode()).digest()
        return base64.b32encode(digest)[:16].decode()


@cache
def prices() -> tuple[OnDemandPrice, ...]:
    return tuple(price for name in FILES for price in _read(name))


def _read(name: str) -> Iterator[OnDemandPrice]:
    with gzip.open(DATA / name) as packed:
        for row in csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8")):
            yield OnDemandPrice(row["region"], row["instance_type"], row["hourly_usd"], row["as_of"])


@cache
def location_names() -> dict[str, str]:
    """Region → its long name. Price List says `EU (Paris)` where the endpoints file says `Europe (Paris)`."""
    partitions = botocore.loaders.create_loader().load_data("endpoints")["partitions"]
    regions = partitions[0]["regions"]
    return {name: about["description"].replace("Europe (", "EU (") for name, about in regions.items()}


def attributes(price: OnDemandPrice) -> dict[str, str]:
    described = described_type(price.instance_type)
    known = {
        "instanceType": price.instance_type,
        "regionCode": price.region,
        "location": location_names().get(price.region, ""),
        "locationType": "AWS Region",
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
        "marketoption": "OnDemand",
        "operation": "RunInstances",
        "usagetype": f"BoxUsage:{price.instance_type}",
        "servicecode": "AmazonEC2",
        "servicename": "Amazon Elastic Compute Cloud",
    }
    if described:
        known["vcpu"] = str(described["VCpuInfo"]["DefaultVCpus"])
        known["memory"] = f"{described['MemoryInfo']['SizeInMiB'] / 1024:g} GiB"
    return {name: value for name, value in known.items() if value}


def product(price: OnDemandPrice) -> dict[str, Any]:
    """One entry of PriceList, in the shape AWS sends."""
    term = f"{price.sku}.{TERM}"
    rate = {
        "unit": "Hrs",
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"${price.usd_per_hour} per On Demand Linux {price.instance_type} Instance Hour",
        "appliesTo": [],
        "rateCode": f"{term}.{RATE}",
        "pricePerUnit": {"USD": f"{float(price.usd_per_hour):.10f}"},
    }
    terms = {
        "priceDimensions": {f"{term}.{RATE}": rate},
        "sku": price.sku,
        "offerTermCode": TERM,
        "effectiveDate": f"{price.as_of}T00:00:00Z",
        "termAttributes": {},
    }
    return {
        "product": {"productFamily": "Compute Instance", "attributes": attributes(price), "sku": price.sku},
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {term: terms}},
        "version": price.as_of.replace("-", ""),
        "publicationDate": f"{price.as_of}T00:00:00Z",
    }


@cache
def searchable() -> tuple[tuple[OnDemandPrice, dict[str, str]], ...]:
    """Each price with its attributes under lower-case names; GetProducts compares field names without case."""
    return tuple((price, {name.lower(): value for name, value in attributes(price).items()}) for price in prices())


def get_products(call: Call) -> Answer:
    """GetProducts, 100 a page. Other operating systems, tenancies and services answer empty: the data has none."""
    if call.params.get("ServiceCode") != "AmazonEC2":
        raise Refusal("InvalidParameterException", f"Unknown service code {call.params.get('ServiceCode')!r}")
    size = int(call.params.get("MaxResults", PAGE))
    if not 1 <= size <= PAGE:
        raise Refusal("InvalidParameterException", "MaxResults must be between 1 and 100")
    tests = [_filter(one) for one in call.params.get("Filters", [])]
    found = [price for price, known in searchable() if all(known.get(name) in values for name, values in tests)]
    start = _start(call.params.get("NextToken"))
    answer: dict[str, Any] = {
        "FormatVersion": "aws_v1",
        "PriceList": [json.dumps(product(price)) for price in found[start : start + size]],
    }
    if start + size < len(found):
        answer["NextToken"] = base64.b64encode(f"products/{start + size}".encode()).decode()
    return Answer(200, json.dumps(answer).encode(), "application/x-amz-json-1.1")


def _filter(given: Mapping[str, str]) -> tuple[str, list[str]]:
    kind, name, value = given.get("Type"), given.get("Field", "").lower(), given.get("Value", "")
    if kind not in ("TERM_MATCH", "EQUALS", "ANY_OF"):
        raise Refusal("InvalidParameterException", f"Filter type {kind!r} is not supported")
    return name, value.split(",") if kind == "ANY_OF" else [value]


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        kind, _, offset = base64.b64decode(token, validate=True).decode().partition("/")
        if kind != "products":
            raise ValueError(kind)
        return int(offset)
    except ValueError as error:
        raise Refusal("InvalidNextTokenException", "The pagination token is invalid.") from error
