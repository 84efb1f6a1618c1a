"""On-Demand prices out of the Price List's products."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from accounts.aws.limiter import Limiter
from accounts.aws.read import pricing
from accounts.aws.session import Door
from tests.accounts.scripted_aws import ScriptedAws, products_page, serving


def a_product(*, price="0.0960000000", unit="Hrs", **attributes) -> str:
    defaults = {
        "instanceType": "m5.large",
        "regionCode": "eu-west-3",
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    dimension = {"unit": unit, "pricePerUnit": {"USD": price}}
    term = {"effectiveDate": "2026-02-01T00:00:00Z", "priceDimensions": {"SKU1.JRTC.6YS6": dimension}}
    product = {"sku": "SKU1", "attributes": {**defaults, **attributes}}
    return json.dumps({"product": product, "terms": {"OnDemand": {"SKU1.JRTC": term}}})


@pytest.fixture
def aws(monkeypatch):
    scripted = ScriptedAws()
    with serving(scripted) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "installation")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "installation-secret")
        yield scripted


def read(aws, *pages):
    aws.on("GetProducts", *pages)
    reading = pricing.on_demand(Door(limiter=Limiter()).installation_session("eu-west-3"), "eu-west-3")
    return list(reading), reading.rejected


def test_a_product_becomes_a_price_with_its_date_and_number(aws):
    prices, rejected = read(aws, products_page([a_product()]))
    assert prices == [
        pricing.OnDemandPrice(
            "m5.large", "eu-west-3", "Linux", Decimal("0.096"), datetime(2026, 2, 1, tzinfo=UTC), "SKU1"
        )
    ]
    assert rejected == []


def test_all_pages_are_read_empty_ones_too_from_the_region_that_has_the_price_list(aws):
    pages = [products_page([a_product()], "a"), products_page([], "b"), products_page([a_product()])]
    prices, _ = read(aws, *pages)
    assert len(prices) == 2
    asked = aws.asked("GetProducts")
    assert [json.loads(each.params["body"]).get("NextToken") for each in asked] == [None, "a", "b"]
    assert all("/us-east-1/pricing/" in each.host for each in asked)
    wanted = {each["Field"]: each["Value"] for each in json.loads(asked[0].params["body"])["Filters"]}
    assert wanted["regionCode"] == "eu-west-3"
    assert (wanted["tenancy"], wanted["preInstalledSw"], wanted["capacitystatus"]) == ("Shared", "NA", "Used")


@pytest.mark.parametrize(
    "text, reason",
    [
        (a_product(price="0.0000000000"), "not above zero"),
        (a_product(price="-1"), "not above zero"),
        (a_product(price="NaN"), "not above zero"),
        (a_product(price="abc"), "InvalidOperation"),
        (a_product(unit="Quantity"), "0 prices by the hour"),
        (a_product(tenancy="Dedicated"), "tenancy is 'Dedicated'"),
        (a_product(regionCode="us-east-1"), "regionCode"),
        (a_product(marketoption="CapacityBlock"), "sold as CapacityBlock"),
        (json.dumps({"product": {"sku": "S", "attributes": {}}, "terms": {}}), "regionCode is None"),
        (json.dumps({"product": None}), "TypeError"),
        (json.dumps([1]), "TypeError"),
        ('{"product": ', "JSONDecodeError"),
        (a_product().replace('"OnDemand"', '"Reserved"'), "0 On-Demand terms"),
        (a_product().replace("2026-02-01T00:00:00Z", "soon"), "ValueError"),
    ],
)
def test_a_product_that_is_no_such_price_is_handed_over_with_the_reason(aws, text, reason):
    prices, rejected = read(aws, products_page([text, a_product()]))
    assert len(prices) == 1
    ((raw, why),) = rejected
    assert reason in why
    assert isinstance(raw, dict)
