"""Lab 9: does an instance keep what people said about it, who said it and since when, and what may not be said?"""

import pytest
import time_machine

from accounts.domain import Environment, Role, Scope
from accounts.models import AuditEntry
from instances.domain.instance_settings import STATEMENT
from instances.models import Instance
from mlregistry.models import Assignment, ModelStatus
from tests.factories import (
    NOW,
    a_browser,
    a_group,
    a_model,
    a_person,
    a_program,
    alice,
    an_account,
    an_instance,
    charlie,
    northwind,
)

pytestmark = pytest.mark.django_db
LIST = "/api/v1/lab/instances"


def an_admin(name="andrea"):
    return a_browser(a_person(name, organization=northwind(), role=Role.ADMIN))


def say(client, instance, seen=0, **wanted):
    body = {"settings_version": seen, **wanted}
    return client.patch(f"{LIST}/{instance.pk}", body, content_type="application/json")


def faults(answer) -> dict[str, str]:
    assert answer.status_code == 422, answer.content
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


def test_what_is_said_is_kept_with_before_and_after():
    instance = an_instance(group=a_group())
    answer = say(an_admin(), instance, pipeline_mode="CLUSTER", health_port=8080, health_path="/up")
    assert answer.status_code == 200, answer.content
    shown = answer.json()
    assert (shown["pipeline_mode"], shown["health_port"], shown["health_path"]) == ("CLUSTER", 8080, "/up")
    assert (shown["settings_version"], shown["settings_changed_by"]) == (1, "andrea")
    entry = AuditEntry.objects.get()
    assert (entry.deed, entry.subject, entry.actor) == (
        "instance.settings_changed",
        f"instance/{instance.pk}",
        "andrea",
    )
    assert entry.before == {"pipeline_mode": "LINEAR", "health_port": None, "health_path": ""}
    assert entry.after == {"pipeline_mode": "CLUSTER", "health_port": 8080, "health_path": "/up"}


def test_what_is_so_already_is_no_change():
    instance = an_instance()
    answer = say(
        an_admin(), instance, pipeline_mode="LINEAR", is_shadow_mode=True, stateless=False, assigned_model=None
    )
    assert (answer.status_code, answer.json()["settings_version"]) == (200, 0)
    assert not AuditEntry.objects.exists()


def test_of_two_who_saw_the_same_the_second_is_told_who_was_first():
    instance = an_instance()
    with time_machine.travel(NOW, tick=False):
        say(an_admin(), instance, health_port=80, health_path="/a")
    answer = say(an_admin("bertil"), instance, health_port=80, health_path="/b")
    assert answer.status_code == 409
    assert answer.json()["state"] == {
        "settings_version": 1,
        "changed_by": "andrea",
        "changed_at": "2026-11-18T12:00:00Z",
    }
    assert Instance.objects.get().health_path == "/a"
    assert say(an_admin("cecil"), instance, seen=1, health_path="/b").status_code == 200


def test_whoever_says_not_what_was_seen_is_asked_for_it():
    answer = an_admin().patch(f"{LIST}/{an_instance().pk}", {"health_port": 80}, content_type="application/json")
    assert "#/settings_version" in faults(answer)


@pytest.mark.parametrize(
    "wanted, pointer, said",
    [
        ({"pipeline_mode": "CLUSTER"}, "#/pipeline_mode", "in no Auto Scaling group"),
        ({"pipeline_mode": "SIDEWAYS"}, "#/pipeline_mode", "not a valid choice"),
        ({"health_port": 70000, "health_path": "/"}, "#/health_port", "1 to 65535"),
        ({"health_port": 80}, "#/health_path", "such as /health"),
        ({"health_path": "/up"}, "#/health_port", "needs a port"),
        ({"health_port": 80, "health_path": "up"}, "#/health_path", "begins with /"),
        ({"health_port": 80, "health_path": "/a b"}, "#/health_path", "no space"),
        ({"health_port": 80, "health_path": "/a\r\nHost: x"}, "#/health_path", "no space"),
        ({"policy_overrides": {"min_zones": 0}}, "#/policy_overrides/min_zones", "not between 1 and 20"),
        ({"policy_overrides": {"min/risk": 1}}, "#/policy_overrides/min~1risk", "no limit called"),
        ({"policy_overrides": {"acting": "auto"}}, "#/policy_overrides/acting", "Nothing can act yet"),
        ({"policy_overrides": []}, "#/policy_overrides", "dictionary"),
        ({"assigned_model": 0}, "#/assigned_model", "no such model"),
        ({"stateles": True}, "#/stateles", "no such field"),
    ],
)
def test_what_cannot_be_said_changes_nothing_and_is_pointed_at(wanted, pointer, said):
    instance = an_instance()
    assert said in faults(say(an_admin(), instance, **wanted))[pointer]
    assert Instance.objects.get().settings_version == 0
    assert not AuditEntry.objects.exists()


def test_all_or_nothing():
    instance = an_instance()
    answer = say(an_admin(), instance, health_port=80, health_path="/up", assigned_model=a_model().pk)
    assert (answer.status_code, answer.json()["state"]) == (409, "testing")
    assert Instance.objects.get().health_port is None
    assert not AuditEntry.objects.exists()


def test_limits_are_set_whole_and_audited_by_themselves():
    instance = an_instance(policy_overrides={"min_zones": 2})
    answer = say(an_admin(), instance, policy_overrides={"max_pool_share": 0.5})
    assert answer.json()["policy_overrides"] == {"max_pool_share": 0.5}
    entry = AuditEntry.objects.get(deed="policy.changed")
    assert (entry.before, entry.after) == ({"min_zones": 2}, {"max_pool_share": 0.5})


# --- The statement --------------------------------------------------------------------------------------------------
def test_a_statement_is_signed_withdrawn_and_remembered():
    instance, client = an_instance(), an_admin()
    with time_machine.travel(NOW, tick=False):
        shown = say(client, instance, stateless=True).json()
    assert (shown["stateless_said_by"], shown["stateless_said_at"]) == ("andrea", "2026-11-18T12:00:00.000000Z")
    again = say(an_admin("bertil"), instance, seen=1, stateless=True).json()
    assert again["stateless_said_by"] == "andrea"  # it stays the word of who gave it
    withdrawn = say(an_admin("cecil"), instance, seen=1, stateless=False).json()
    assert (withdrawn["stateless_said_by"], withdrawn["stateless_said_at"]) == ("", None)
    told = list(AuditEntry.objects.order_by("pk").values_list("deed", "actor"))
    assert told == [("instance.stateless_stated", "andrea"), ("instance.stateless_withdrawn", "cecil")]
    signed, taken_back = AuditEntry.objects.order_by("pk")
    assert signed.after["statement"] == STATEMENT
    assert taken_back.before["said_by"] == "andrea"


def test_a_key_signs_nothing():
    answer = say(a_program(northwind(), Scope.MANAGE), an_instance(), stateless=True)
    assert answer.status_code == 403
    assert "person" in answer.json()["detail"]
    assert not Instance.objects.get().stateless_said_by


# --- Shadow ---------------------------------------------------------------------------------------------------------
def test_to_leave_shadow_is_for_owners_and_nothing_can_act_yet():
    instance = an_instance()
    assert say(an_admin(), instance, is_shadow_mode=False).status_code == 403
    answer = say(a_browser(alice()), instance, is_shadow_mode=False, health_port=80, health_path="/up")
    assert (answer.status_code, answer.json()["state"]) == (409, "shadow")
    assert "Nothing can act yet" in answer.json()["detail"]
    row = Instance.objects.get()
    assert (row.is_shadow_mode, row.health_port) == (True, None)


# --- Its model ------------------------------------------------------------------------------------------------------
def test_a_model_is_assigned_and_taken_away():
    instance, client = an_instance(), an_admin()
    model = a_model("careful", status=ModelStatus.GRADUATED.value)
    shown = say(client, instance, assigned_model=model.pk).json()
    assert shown["assigned_model"] == {"model_id": model.pk, "name": "careful", "version": "1"}
    assert shown["settings_version"] == 1
    assert client.get(LIST).json()["results"][0]["assigned_model"]["name"] == "careful"
    same = say(client, instance, seen=1, assigned_model=model.pk).json()
    assert same["settings_version"] == 1
    gone = say(client, instance, seen=1, assigned_model=None).json()
    assert (gone["assigned_model"], gone["settings_version"]) == (None, 2)
    assert not Assignment.objects.exists()
    deeds = list(AuditEntry.objects.order_by("pk").values_list("deed", flat=True))
    assert deeds == ["model.assigned", "model.unassigned"]


def test_a_model_in_testing_serves_in_lab_and_not_in_prod():
    model = a_model()
    lab = an_instance(an_account(environment=Environment.LAB.value))
    assert say(an_admin(), lab, assigned_model=model.pk).status_code == 200
    refused = say(an_admin("bertil"), an_instance(), assigned_model=model.pk)
    assert (refused.status_code, refused.json()["state"]) == (409, "testing")


# --- Whose, and what is there ----------------------------------------------------------------------------------------
def test_a_stranger_changes_nothing_and_what_vanished_is_not_changed():
    instance = an_instance()
    assert say(a_browser(charlie()), instance, health_port=80, health_path="/").status_code == 404
    Instance.objects.update(vanished_at=NOW)
    answer = say(an_admin(), instance, health_port=80, health_path="/")
    assert (answer.status_code, answer.json()["state"]) == (409, "vanished")
    assert Instance.objects.get().health_port is None
