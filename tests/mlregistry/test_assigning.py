"""An organization puts a model before the active one for some of its instances; what a status forbids ends."""

import pytest

from accounts.authentication import member
from accounts.domain import Environment
from accounts.models import AuditEntry
from mlregistry import assigning, loading, registry
from mlregistry.assigning import NotAssignable, judges_of
from mlregistry.domain.assigning import is_drawn
from mlregistry.models import Assignment, AssignmentKind, ModelStatus
from tests.factories import NOW, alice, an_account, an_instance
from tests.mlregistry.a_market import a_registered_model

pytestmark = pytest.mark.django_db
SERVING, SHADOW = AssignmentKind.SERVING, AssignmentKind.SHADOW


def by_alice():
    return member(alice(), alice().memberships.select_related("organization").get())


def a_lab(**fields):
    return an_account(environment=Environment.LAB.value, **fields)


def give(version, *instances, kind=SERVING):
    return assigning.assign(version, instances, kind, by=by_alice(), now=NOW)


def give_share(version, account, share, kind=SERVING):
    return assigning.assign_share(version, account, share, kind, by=by_alice(), now=NOW)


def test_without_an_assignment_the_active_model_judges():
    active = a_registered_model()
    judges = judges_of(an_instance())
    assert (judges.serving.id, judges.chosen_by, judges.shadow) == (active.pk, "the active model", None)
    assert not judges.is_assigned


def test_an_instances_own_model_wins_over_its_accounts_share_and_that_over_the_active_one(
    django_assert_max_num_queries,
):
    a_registered_model(version="1")
    shared, own = (a_registered_model(version=version, active=False) for version in "23")
    instance = an_instance()
    give_share(shared, instance.account, 1.0)
    assert judges_of(instance).serving.id == shared.pk
    assert judges_of(instance).chosen_by == "assigned to 100% of the account"
    give(own, instance)
    judges_of(instance)
    with django_assert_max_num_queries(2):
        judges = judges_of(instance)
    assert judges.serving.id == own.pk
    assert judges.chosen_by == "assigned to the instance"


def test_a_share_is_drawn_by_hash_so_that_every_process_says_the_same():
    version = a_registered_model(active=False)
    account = an_account()
    instances = [an_instance(account) for _ in range(20)]
    assignment = give_share(version, account, 0.5)
    drawn = [each for each in instances if is_drawn(version.pk, each.instance_id, 0.5)]
    assert assigning.instances_of(assignment, instances) == drawn
    assert [each for each in instances if judges_of(each).serving.id == version.pk] == drawn
    assert judges_of(an_instance()).serving is loading.BASELINE


def test_a_model_in_testing_serves_in_lab_only():
    version = a_registered_model(active=False, status=ModelStatus.TESTING)
    lab, prod = an_instance(a_lab()), an_instance()
    give(version, lab)
    give(version, prod, kind=SHADOW)
    with pytest.raises(NotAssignable, match="only a graduated model serves in PROD"):
        give(version, prod)
    assert judges_of(lab).serving.id == version.pk
    assert judges_of(prod).shadow == version


def test_all_instances_or_none():
    version = a_registered_model(active=False, status=ModelStatus.TESTING)
    lab, prod = an_instance(a_lab()), an_instance()
    with pytest.raises(NotAssignable):
        give(version, lab, prod)
    assert not Assignment.objects.exists()


def test_a_lab_that_becomes_prod_is_no_longer_judged_by_a_model_in_testing():
    active, version = (
        a_registered_model(version="1"),
        a_registered_model(version="2", active=False, status=ModelStatus.TESTING),
    )
    instance = an_instance(a_lab())
    give(version, instance)
    instance.account.environment = Environment.PROD.value
    judges = judges_of(instance)
    assert judges.serving.id == active.pk
    assert judges.passed_over == ("for-tests 2 (serving): it is testing, and only a graduated model serves in PROD",)


def test_a_second_assignment_replaces_the_first_and_both_are_in_the_audit_log():
    one, other = (a_registered_model(version=version, active=False) for version in "12")
    instance = an_instance()
    give(one, instance)
    give(other, instance)
    assert [each.model for each in Assignment.objects.all()] == [other]
    newest = AuditEntry.objects.filter(deed="model.assigned").latest("pk")
    assert (newest.before["name"], newest.after["name"]) == ("for-tests 1", "for-tests 2")
    assert newest.organization == instance.account.organization


def test_a_shadow_that_serves_already_is_not_asked_twice():
    active = a_registered_model()
    instance = an_instance()
    give(active, instance, kind=SHADOW)
    assert judges_of(instance).shadow is None


def test_what_a_new_status_forbids_ends_with_it_and_each_organization_reads_why():
    version = a_registered_model(active=False)
    lab, prod = an_instance(a_lab()), an_instance()
    give(version, lab, prod)
    give(version, prod, kind=SHADOW)
    registry.judge(version, ModelStatus.TESTING, by="a test")
    assert set(Assignment.objects.values_list("instance", "kind")) == {(lab.pk, "serving"), (prod.pk, "shadow")}
    registry.judge(version, ModelStatus.REJECTED, by="a test")
    assert not Assignment.objects.exists()
    ended = AuditEntry.objects.filter(deed="model.unassigned").latest("pk")
    assert ended.reason == "the model became rejected"
    assert ended.organization is not None


def test_taking_a_model_away_gives_the_instance_back_to_the_active_one():
    active, version = a_registered_model(version="1"), a_registered_model(version="2", active=False)
    instance = an_instance()
    given = give(version, instance)
    assert assigning.assigned_model(instance) == version
    assert assigning.unassign(given, by=by_alice()) == 1
    assert judges_of(instance).serving.id == active.pk
    assert assigning.assigned_model(instance) is None
