"""Does the one rule of tenancy know every model, and does it let nothing else through?"""

import pytest
from django.apps import apps
from django.http import Http404

from accounts import checks
from accounts.authentication import Caller, CallerKind
from accounts.models import Organization
from accounts.ownership import Undeclared, owned, owned_or_404, path_of
from accounts.refusals import Unusable
from instances.models import FetchSource, Instance, InstanceType, MarketFetch
from pipelines.models import ExperimentLog, PipelineRun, RunStep
from tests.factories import a_fetch, a_type, an_experiment, an_instance, northwind, southwind

pytestmark = pytest.mark.django_db


def somebody_of(organization: Organization | None) -> Caller:
    return Caller(CallerKind.PERSON, "somebody", organization)


@pytest.mark.parametrize("model", [Instance, PipelineRun, RunStep, ExperimentLog])
def test_a_stranger_is_left_with_nothing(model):
    an_experiment()
    assert owned(model, somebody_of(northwind())).count() > 0
    assert owned(model, somebody_of(southwind())).count() == 0
    assert owned(model, somebody_of(None)).count() == 0


def test_what_is_shared_is_everybodys_and_the_installations_books_are_nobodys():
    a_type()
    a_fetch(FetchSource.SPOT)
    assert owned(InstanceType, somebody_of(southwind())).count() == 1
    assert owned(MarketFetch, somebody_of(northwind())).count() == 0


def test_a_narrowed_queryset_stays_narrow():
    an_instance(name="a")
    an_instance(name="b")
    assert owned(Instance.objects.filter(name="a"), somebody_of(northwind())).count() == 1


@pytest.mark.parametrize("pk", ["x", None, 10**40, "00000000-0000-0000-0000-000000000000"])
def test_an_id_that_is_none_is_not_found(pk):
    for model in (Instance, PipelineRun):
        with pytest.raises(Http404):
            owned_or_404(model, somebody_of(northwind()), pk=pk)


def test_a_platform_key_without_a_customer_is_told_to_name_one():
    from accounts import keys
    from accounts.domain import Scope

    key, _ = keys.issue(None, "core", [Scope.READ], by=None)
    with pytest.raises(Unusable):
        owned(Instance, Caller(CallerKind.KEY, "core", None, api_key=key))


def test_every_path_leads_to_an_organization():
    for label in checks.OURS:
        for model in apps.get_app_config(label).get_models():
            assert owned(model, somebody_of(northwind())).count() >= 0


def test_a_model_that_says_nothing_stops_the_start(monkeypatch):
    monkeypatch.delitem(apps.get_app_config("instances").ownership, "Instance")
    [message] = checks.every_row_has_an_owner(None)
    assert (message.id, message.msg) == ("accounts.E001", "instances.Instance does not say whose its rows are.")
    with pytest.raises(Undeclared):
        path_of(Instance)


def test_a_declared_owner_of_nothing_stops_the_start_too(monkeypatch):
    monkeypatch.setitem(apps.get_app_config("instances").ownership, "Ghost", "account__organization")
    assert [message.id for message in checks.every_row_has_an_owner(None)] == ["accounts.E002"]
