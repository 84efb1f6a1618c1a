"""Is every table in the admin, does each of its pages open in few queries, and does nothing that must stay go?"""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.architecture.rows import a_row, every_model
from tests.factories import a_browser, a_person

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15  # the session, the person, the entry in the audit log and the filters' choices among them
NOT_SHOWN = {
    "SpotPrice": "hundreds of millions of rows without a key of one column; the prices page shows them",
    "SpotPriceDaily": "as SpotPrice",
    "RunStep": "shown within its run",
    "Step": "shown within its operation",
}
# all that staff may delete: what says who may do what from now on; that it was is in the audit log
MAY_GO = {"Membership", "OptimizationPolicy", "TOTPDevice"}
SHOWN = [model for model in every_model() if model.__name__ not in NOT_SHOWN] + [TOTPDevice]
NAMES = [model.__name__ for model in SHOWN]


@pytest.fixture
def root():
    return a_browser(a_person("root", is_staff=True, is_superuser=True))


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_every_model_is_in_the_admin_or_said_not_to_be():
    missing = {model.__name__ for model in every_model()} - {model.__name__ for model in admin.site._registry}
    assert missing == set(NOT_SHOWN), "register it in its app's admin.py, or say in NOT_SHOWN why not"


@pytest.mark.parametrize("model", SHOWN, ids=NAMES)
def test_its_list_and_its_rows_open_in_few_queries_however_many_there_are(root, model):
    counted = []
    for _ in range(3):
        row = a_row(model)
        with CaptureQueriesContext(connection) as queries:
            listed = root.get(address(model, "changelist"))
        assert listed.status_code == 200
        with CaptureQueriesContext(connection) as one:
            shown = root.get(address(model, "change", row.pk))
        assert shown.status_code == 200
        counted.append((len(queries), len(one)))
    assert max(max(pair) for pair in counted) <= MOST_QUERIES, [q["sql"][:150] for q in queries]
    assert counted[1] == counted[2], "a query for each row: list_select_related, or a lighter field"
    page = admin.site._registry[model]
    assert page.search_fields, "nobody finds anything in it"
    assert page.list_filter or model._meta.label in ("instances.AdvisorFile", "accounts.Organization"), "no filter"
    assert root.get(address(model, "changelist"), {"q": "a"}).status_code == 200


@pytest.mark.parametrize("model", SHOWN, ids=NAMES)
def test_only_what_may_go_is_deleted(root, model):
    row = a_row(model)
    try:
        root.post(address(model, "delete", row.pk), {"post": "yes"})
    except NoReverseMatch:
        return
    data = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    is_there = model._base_manager.filter(pk=row.pk).exists()
    if is_there:
        root.post(address(model, "changelist"), data)
    assert model._base_manager.filter(pk=row.pk).exists() is (model.__name__ not in MAY_GO)


def test_lists_within_a_page_delete_nothing(root):
    for model in SHOWN:
        page = admin.site._registry[model]
        for inline in page.inlines:
            assert not inline(page.model, admin.site).has_delete_permission(root.get("/admin/").wsgi_request)


def test_somebody_of_the_staff_without_rights_changes_and_sees_nothing():
    clerk = a_browser(a_person("clerk", is_staff=True))
    for model in SHOWN:
        assert clerk.get(address(model, "changelist")).status_code == 403
        assert clerk.post(address(model, "changelist"), {"action": "delete_selected"}).status_code == 403
