"""Does the Price List answer as AWS's does, with real prices only?"""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

LINUX = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}


def match(**fields: str) -> list[dict[str, str]]:
    return [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in fields.items()]


def products(pricing, **fields: str) -> list[dict]:
    pages = pricing.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=match(**fields))
    return [json.loads(text) for page in pages for text in page["PriceList"]]


def test_a_price_has_the_shape_that_clients_of_the_price_list_read(local_cloud):
    """Billing user guide, "Finding services and products using the Price List Query API"."""
    found = products(local_cloud.installation("pricing"), regionCode="eu-west-3", instanceType="m5.large", **LINUX)
    assert len(found) == 1
    assert found[0]["product"]["attributes"]["vcpu"] == "2"
    assert found[0]["product"]["attributes"]["location"] == "EU (Paris)"
    (term,) = found[0]["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    assert dimension["unit"] == "Hrs"
    assert dimension["pricePerUnit"] == {"USD": "0.1120000000"}
    assert term["effectiveDate"] == "2024-02-21T00:00:00Z"


def test_prices_come_a_hundred_a_page_without_loss(local_cloud):
    """Price List reference, GetProducts: MaxResults 1 to 100, NextToken."""
    pricing = local_cloud.installation("pricing")
    page = pricing.get_products(ServiceCode="AmazonEC2", Filters=match(regionCode="us-east-1"))
    assert len(page["PriceList"]) == 100
    types = [one["product"]["attributes"]["instanceType"] for one in products(pricing, regionCode="us-east-1")]
    assert len(types) == len(set(types)) > 700
    assert {"p2.xlarge", "p3.2xlarge", "c5a.2xlarge"} <= set(types)
    with pytest.raises(ClientError, match="InvalidNextToken"):
        pricing.get_products(ServiceCode="AmazonEC2", NextToken="forged")


@pytest.mark.parametrize(
    "other", [{"operatingSystem": "Windows"}, {"tenancy": "Dedicated"}, {"preInstalledSw": "SQL Web"}]
)
def test_what_the_data_does_not_hold_is_answered_empty(local_cloud, other):
    assert products(local_cloud.installation("pricing"), instanceType="m5.large", **(LINUX | other)) == []


def test_an_unknown_service_or_filter_is_refused(local_cloud):
    """Price List reference, GetProducts: InvalidParameterException."""
    pricing = local_cloud.installation("pricing")
    with pytest.raises(ClientError, match="InvalidParameterException"):
        pricing.get_products(ServiceCode="AmazonNothing")
    with pytest.raises(ClientError, match="InvalidParameterException"):
        pricing.get_products(ServiceCode="AmazonEC2", Filters=[{"Type": "CONTAINS", "Field": "a", "Value": "b"}])
