"""Are limits changed by whoever may, at each level, with before and after, and shown with where they come from?"""

import re

import pytest
import time_machine

from accounts.domain import Role, Scope
from accounts.models import AuditEntry
from governance.models import OptimizationPolicy
from instances.models import Instance
from tests.factories import (
    NOW,
    a_browser,
    a_person,
    a_program,
    alice,
    an_account,
    an_instance,
    bob,
    charlie,
    northwind,
    southwind,
)

pytestmark = pytest.mark.django_db
API = "/api/v1/governance/policies"


@pytest.fixture
def shop():
    return an_instance(an_account(name="shop"), name="web").account


def places(shop) -> dict[str, str]:
    return {
        "organization": "organization",
        "account": f"accounts/{shop.pk}",
        "instance": f"instances/{shop.instances.get().pk}",
    }


def put(client, place, overrides, version=0):
    body = {"version": version, "overrides": overrides}
    return client.put(f"{API}/{place}", body, content_type="application/json")


def faults(answer) -> dict[str, str]:
    assert answer.status_code == 422, answer.content
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("level", ["organization", "account", "instance"])
def test_limits_are_set_at_each_level_and_written_down(shop, level):
    place, client = places(shop)[level], a_browser(alice())
    with time_machine.travel(NOW, tick=False):
        answer = put(client, place, {"min_zones": 2})
    shown = answer.json()
    assert (answer.status_code, shown["level"], shown["version"]) == (200, level, 1)
    assert shown["overrides"] == {"min_zones": 2}
    assert shown["effective"]["min_zones"] == {"value": 2, "set_by": level}
    assert shown["effective"]["min_safety_score"] == {"value": 0.75, "set_by": "default"}
    assert shown["changed_by"] == "alice"
    put(client, place, {"min_zones": 1, "min_savings_percent": 12.5}, version=1)
    entries = list(AuditEntry.objects.filter(deed="policy.changed").order_by("pk"))
    assert [(e.before, e.after) for e in entries] == [
        ({}, {"min_zones": 2}),
        ({"min_zones": 2}, {"min_zones": 1, "min_savings_percent": "12.5"}),
    ]
    assert {e.organization for e in entries} == {northwind()}
    history = client.get(f"{API}/{place}/history").json()["results"]
    assert [change["after"]["min_zones"] for change in history] == [1, 2]
    assert history[1]["actor"] == "alice"


def test_the_nearest_level_wins_and_each_value_says_where_it_comes_from(shop):
    client = a_browser(alice())
    put(client, "organization", {"min_zones": 2, "min_safety_score": 0.8, "max_pool_share": 0.3})
    put(client, places(shop)["account"], {"min_safety_score": 0.85, "max_pool_share": 0.4})
    put(client, places(shop)["instance"], {"max_pool_share": 0.5})
    effective = client.get(f"{API}/{places(shop)['instance']}").json()["effective"]
    told = {name: tuple(effective[name].values()) for name in ("min_zones", "min_safety_score", "max_pool_share")}
    assert told == {
        "min_zones": (2, "organization"),
        "min_safety_score": (0.85, "account"),
        "max_pool_share": (0.5, "instance"),
    }
    rows = client.get(API).json()["results"]
    assert [(row["level"], row["name"]) for row in rows] == [("organization", "Northwind"), ("account", "shop")]
    assert [row["name"] for row in client.get(f"{API}?is_account=true").json()["results"]] == ["shop"]
    own = client.get("/api/v1/lab/instances?has_overrides=true").json()["results"]
    assert [row["policy_overrides"] for row in own] == [{"max_pool_share": 0.5}]


@pytest.mark.parametrize("level", ["organization", "account", "instance"])
def test_of_two_who_saw_the_same_the_second_is_told(shop, level):
    place = places(shop)[level]
    put(a_browser(alice()), place, {"min_zones": 2})
    answer = put(a_browser(alice()), place, {"min_zones": 4})
    assert (answer.status_code, answer.json()["state"]["version"]) == (409, 1)
    assert answer.json()["state"]["changed_by"] == "alice"
    shown = a_browser(alice()).get(f"{API}/{place}").json()
    assert shown["overrides"] == {"min_zones": 2}
    assert AuditEntry.objects.count() == 1


def test_the_same_again_is_no_change(shop):
    put(a_browser(alice()), "organization", {"min_zones": 2})
    assert put(a_browser(alice()), "organization", {"min_zones": 2}, version=1).json()["version"] == 1
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize("level", ["account", "instance"])
@pytest.mark.parametrize(
    "overrides, pointer, said",
    [
        ({"min_zones": 0}, "#/overrides/min_zones", "not between 1 and 20"),
        ({"min_risk": 1}, "#/overrides/min_risk", "no limit called 'min_risk'"),
        ({"acting": "auto"}, "#/overrides/acting", "Nothing can act yet"),
        ([], "#/overrides", "dictionary"),
    ],
)
def test_limits_that_cannot_be_set_change_nothing(shop, level, overrides, pointer, said):
    assert said in faults(put(a_browser(alice()), places(shop)[level], overrides))[pointer]
    assert not AuditEntry.objects.exists()
    assert not OptimizationPolicy.objects.exists()


def test_a_key_changes_limits_by_its_name():
    answer = put(a_program(northwind(), Scope.MANAGE, name="core"), "organization", {"min_zones": 2})
    assert (answer.status_code, answer.json()["changed_by"]) == (200, "")
    assert AuditEntry.objects.get().actor == "key core"


def test_a_key_of_the_platform_names_its_customer(shop):
    program = a_program(None)
    assert program.get(f"{API}/organization").status_code == 422
    assert program.get(f"{API}/organization?customer_id={southwind().pk}").json()["name"] == "Southwind"


def test_what_cannot_be_read_is_said_and_can_be_put_right(shop):
    OptimizationPolicy.objects.create(organization=northwind(), overrides={"min_zones": "many", "gone": 1})
    client = a_browser(alice())
    assert client.get(f"{API}/organization").json()["effective"] is None
    page = client.get("/policies/").content.decode()
    assert "min_zones is &#x27;many&#x27;, not a whole number" in page
    assert "many" in page
    assert client.get(f"/policies/accounts/{shop.pk}/").status_code == 200
    assert put(client, "organization", {}, version=1).json()["effective"]["min_zones"]["value"] == 3


def test_a_stranger_finds_no_limits_of_ours(shop):
    put(a_browser(alice()), "organization", {"min_zones": 2})
    stranger = a_browser(charlie())
    for place in ("account", "instance"):
        for address in (f"{API}/{places(shop)[place]}", f"/policies/{places(shop)[place]}/"):
            assert stranger.get(address).status_code == 404
        assert put(stranger, places(shop)[place], {"min_zones": 1}).status_code == 404
    assert stranger.get(f"{API}/organization").json()["overrides"] == {}
    assert stranger.get(API).json()["count"] == 0


# --- The page -------------------------------------------------------------------------------------------------------
def page_of(level, shop):
    return "/policies/" if level == "organization" else f"/policies/{places(shop)[level]}/"


@pytest.mark.parametrize("level", ["organization", "account", "instance"])
def test_an_admin_keeps_limits_on_the_page(shop, level):
    client, address = a_browser(alice()), page_of(level, shop)
    answer = client.post(address, {"version": "0", "min_zones": "2", "change_window": "22:00-06:00 sat Europe/Paris"})
    assert (answer.status_code, answer["Location"]) == (302, address)
    page = client.get(address).content.decode()
    assert 'value="22:00-06:00 sat Europe/Paris"' in page
    assert re.search(r"alice.*<span class=\"mono\">min_zones</span>: inherited → 2", page, re.S)
    answer = client.post(address, {"version": "1", "min_zones": "", "change_window": ""})
    shown = client.get(f"{API}/{places(shop)[level]}").json()
    assert (shown["overrides"], shown["version"]) == ({}, 2)


def test_what_cannot_be_kept_is_said_beside_its_field_and_stays_typed(shop):
    client = a_browser(alice())
    page = client.post("/policies/", {"version": "0", "min_zones": "many", "max_pool_share": "0.5"}).content.decode()
    assert 'id="min_zones-fault" role="alert">min_zones is &#x27;many&#x27;, not a whole number' in page
    assert 'name="max_pool_share" value="0.5"' in page
    assert "Nothing was changed" in page
    assert not OptimizationPolicy.objects.exists()


@pytest.mark.parametrize("level", ["account", "instance"])
def test_whoever_was_overtaken_sees_who_it_was_and_can_keep_theirs(shop, level):
    put(a_browser(alice()), places(shop)[level], {"min_zones": 5})
    client = a_browser(a_person("andrea", organization=northwind(), role=Role.ADMIN))
    page = client.post(page_of(level, shop), {"version": "0", "min_zones": "2"}).content.decode()
    assert "alice changed these limits" in page
    assert 'name="min_zones" value="2"' in page
    assert 'name="version" value="1"' in page
    assert client.post(page_of(level, shop), {"version": "1", "min_zones": "2"}).status_code == 302


def test_a_viewer_reads_limits_and_changes_none(shop):
    client = a_browser(bob())
    page = client.get(f"/policies/accounts/{shop.pk}/").content.decode()
    assert "Saves at least" in page
    assert '<button class="button button-main"' not in page
    assert client.post("/policies/", {"version": "0", "min_zones": "2"}).status_code == 403
    assert not OptimizationPolicy.objects.exists()


@pytest.mark.parametrize("level", ["organization", "account", "instance"])
def test_a_page_asks_few_questions_however_much_there_is(shop, level, django_assert_max_num_queries):
    client, address = a_browser(alice()), page_of(level, shop)
    for number in range(5):
        an_account(name=f"more {number}")
        put(client, places(shop)[level], {"min_zones": 1 + number % 3}, version=number)
    with django_assert_max_num_queries(12):
        assert client.get(address).status_code == 200
    assert Instance.objects.count() == 1
