"""`decision/spot-optimize` over HTTP: asked by a key, answered from stored scores, kept."""

import json
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import keys
from accounts.domain import Scope
from governance.models import Quarantine
from pipelines.models import EngineDecision
from tests.factories import an_account, northwind, southwind, zones_of
from tests.pipelines.worlds import a_scored_market

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/ml/decision/spot-optimize"


def a_client(organization, *scopes):
    _, secret = keys.issue(organization, "executor", scopes or (Scope.DECIDE, Scope.READ), by=None)
    return Client(headers={"Authorization": f"Api-Key {secret}"})


def a_request(**fields):
    wanted = {"region": "us-east-1", "vcpus": 2, "memory_gib": 8, "name": "web"}
    return {"request_id": "r-1", "requirements": [wanted | fields.pop("workload", {})]} | fields


def ask(client, **fields):
    return client.post(ADDRESS, json.dumps(a_request(**fields)), content_type="application/json")


@pytest.fixture
def market(db):
    a_scored_market(now=timezone.now())


def test_a_key_gets_ranked_pools_and_the_answer_is_kept(market):
    client = a_client(northwind())
    answer = ask(client).json()
    assert answer["recommendations"][0]["top_pools"][0]["instance_type"] == "m5a.large"
    kept = EngineDecision.objects.get(pk=answer["execution_id"])
    assert kept.organization == northwind()
    whole = client.get(f"/api/v1/ml/decisions/{kept.pk}").json()
    assert whole["response"]["recommendations"] == answer["recommendations"]
    assert client.get("/api/v1/ml/decisions/history").json()["count"] == 1


def test_money_is_a_string_and_probabilities_are_numbers(market):
    pool = ask(a_client(northwind())).json()["recommendations"][0]["top_pools"][0]
    assert pool["spot_price"] == "0.036000"
    assert isinstance(pool["interruption_probability"], float)


def test_a_quarantine_closes_a_pool_at_once(market):
    now = timezone.now()
    Quarantine.objects.create(
        instance_type="m5a.large", zone_id="use1-az2", began_at=now, expires_at=now + timedelta(days=1), reason="test"
    )
    answer = ask(a_client(northwind())).json()["recommendations"][0]
    assert ("m5a.large", "use1-az2") not in {(p["instance_type"], p["zone_id"]) for p in answer["top_pools"]}
    assert answer["refused"]["quarantine"] == 1


def test_a_later_scoring_is_seen_at_once(market):
    client = a_client(northwind())
    assert ask(client).json()["recommendations"][0]["top_pools"]
    a_scored_market_is_gone = timezone.now() + timedelta(hours=30)
    from mlregistry.scoring import score_region

    score_region("us-east-1", now=a_scored_market_is_gone)
    assert ask(client).json()["recommendations"][0]["top_pools"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"workload": {"vcpu": 2}}, "#/requirements/0/vcpu"),
        ({"constraints": {"max_interuption": 0.1}}, "#/constraints/max_interuption"),
        ({"workload": {"vcpus": -1}}, "#/requirements/0/vcpus"),
        ({"requirements": []}, "#/requirements"),
        ({"decision_type": "bin_pack"}, "#/decision_type"),
        ({"at": "2020-01-01T00:00:00Z"}, "#/at"),
        ({"workload": {"zones": ["us-east-1a"]}}, "#/account_id"),
    ],
)
def test_what_cannot_be_used_is_refused_and_pointed_at(market, change, pointer):
    answer = ask(a_client(northwind()), **change)
    assert answer.status_code == 422
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}
    assert not EngineDecision.objects.exists()


def test_a_zone_name_is_read_by_the_named_account(market):
    account = an_account(northwind())
    zones_of(account, us_east_1a="use1-az3")
    answer = ask(a_client(northwind()), account_id=account.account_id, workload={"zones": ["us-east-1a"]}).json()
    assert {p["zone_id"] for p in answer["recommendations"][0]["top_pools"]} == {"use1-az3"}


def test_a_strangers_account_and_answers_are_not_there(market):
    kept = ask(a_client(northwind())).json()["execution_id"]
    stranger = a_client(southwind())
    theirs = an_account(northwind())
    assert ask(stranger, account_id=theirs.account_id).status_code == 404
    assert ask(stranger, customer_id=str(northwind().pk)).status_code == 404
    assert stranger.get(f"/api/v1/ml/decisions/{kept}").status_code == 404
    assert stranger.get("/api/v1/ml/decisions/history").json()["count"] == 0


def test_a_platform_key_names_its_customer(market):
    platform = a_client(None)
    assert ask(platform).status_code == 422
    answer = ask(platform, customer_id=str(northwind().pk))
    assert answer.status_code == 200
    assert EngineDecision.objects.get().organization == northwind()
    assert ask(platform, customer_id=str(uuid.uuid4())).status_code == 404


def test_a_key_without_the_scope_is_refused(market):
    assert ask(a_client(northwind(), Scope.READ)).status_code == 403
    assert Client().post(ADDRESS, "{}", content_type="application/json").status_code == 401


def test_seven_hundred_types_take_no_more_queries_than_one(market, django_assert_max_num_queries):
    client = a_client(northwind())
    ask(client)
    types = [f"m5.{n}xlarge" for n in range(1, 700)] + ["m5.large"]
    with django_assert_max_num_queries(7):
        answer = ask(client, workload={"instance_types": types})
    assert {p["instance_type"] for p in answer.json()["recommendations"][0]["top_pools"]} == {"m5.large"}


def test_a_body_of_more_than_five_megabytes_is_not_read(market):
    answer = ask(a_client(northwind()), cluster_id="x" * 5 * 2**20)
    assert answer.status_code == 413
    assert not EngineDecision.objects.exists()


def test_a_thousand_kinds_of_nonsense_get_a_short_answer(market):
    answer = ask(a_client(northwind()), constraints={f"field-{number}": 1 for number in range(100_000)})
    assert answer.status_code == 422
    assert len(answer.content) < 20_000


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"null"])
def test_a_body_that_is_no_request_gets_a_plain_refusal(market, body):
    answer = a_client(northwind()).post(ADDRESS, body, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer["Content-Type"] == "application/problem+json"
