"""Is every deed kept, and can nobody rewrite what was kept?"""

import os
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, ProgrammingError, connection, transaction

from accounts import audit, tracing
from accounts.authentication import Caller, CallerKind
from accounts.models import AuditEntry
from tests import plugin
from tests.factories import NOW, alice, an_instance, northwind

pytestmark = pytest.mark.django_db
FORBIDDEN = [
    "UPDATE accounts_auditentry SET actor = 'nobody'",
    "DELETE FROM accounts_auditentry",
    "TRUNCATE accounts_auditentry CASCADE",
]


def an_entry() -> AuditEntry:
    caller = Caller(CallerKind.PERSON, "alice", northwind(), user=alice())
    return audit.record(caller, "instance.marked", an_instance(), before=None, after={"stateless": True}, reason="mine")


def test_an_entry_says_who_did_what_on_what_and_in_which_request():
    token = tracing.request_id.set("request-17")
    try:
        entry = AuditEntry.objects.get(pk=an_entry().pk)
    finally:
        tracing.request_id.reset(token)
    assert (entry.person, entry.organization, entry.actor) == (alice(), northwind(), "alice")
    assert entry.subject.startswith("instance/")
    assert (entry.after, entry.reason, entry.request_id) == ({"stateless": True}, "mine", "request-17")


def test_a_job_is_named_and_money_and_time_are_kept_as_text():
    entry = audit.record("beat", "x.done", "x/1", organization=northwind(), after={"usd": Decimal("1.10"), "at": NOW})
    entry.refresh_from_db()
    assert (entry.actor, entry.person) == ("beat", None)
    assert entry.after == {"usd": "1.10", "at": "2026-11-18T12:00:00Z"}


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_applications_role_is_not_granted_any_change(statement):
    an_entry()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("app",)
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            cursor.execute(statement)
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_table_refuses_its_own_owner_too(statement):
    host = os.fspath(plugin.running().postgres_socket_dir)
    with psycopg.connect(host=host, user="owner", dbname=plugin.database()) as owner:
        owner.execute(
            "INSERT INTO accounts_auditentry (at, actor, deed, subject, reason, request_id)"
            " VALUES (now(), 'a', 'b', 'c', '', '')"
        )
        owner.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or TRUNCATE would fail for another reason
        with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
            owner.execute(statement)
        owner.rollback()


def test_deleting_an_entry_through_its_model_fails_loudly():
    entry = an_entry()
    with pytest.raises(DatabaseError), transaction.atomic():
        entry.delete()
