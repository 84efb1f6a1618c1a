"""Is whatever a superuser changes in the audit log found, and is nothing found where nothing was changed?"""

import contextlib
import os
import random
from datetime import timedelta

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from accounts import audit, heads, sealing
from accounts.heads import Head
from accounts.models import AuditEntry, AuditSeal
from tests import plugin
from tests.factories import northwind, southwind

COLUMNS = [field.column for field in AuditEntry._meta.concrete_fields]
OTHER = {
    "id": "9999",
    "organization_id": "NULL",
    "at": "at + interval '1 microsecond'",
    "person_id": "COALESCE(person_id, 0) + 1",
    "api_key_id": "COALESCE(api_key_id, 0) + 1",
    "actor": "'nobody'",
    "deed": "deed || '.'",
    "subject": "subject || ' '",
    "before": "'null'",
    "after": """'{"usd": 1.10, "many": 0.1000000000000000000000001}'""",
    "reason": "'no reason'",
    "request_id": "'another'",
}


def entries(count, organization=None):
    whose = organization or northwind()
    return [
        audit.record("beat", f"deed.{n}", f"thing/{n}", organization=whose, after={"usd": "1.10", "many": 0.1})
        for n in range(count)
    ]


@contextlib.contextmanager
def a_superuser():
    """Who can do what the trigger and the grants forbid; what was done is committed."""
    host = os.fspath(plugin.running().postgres_socket_dir)
    with psycopg.connect(host=host, user="postgres", dbname=plugin.database()) as intruder:
        intruder.execute("SET session_replication_role = replica")
        yield intruder


def found(organization=None, **known):
    return sealing.verify((organization or northwind()).pk, **known)


@pytest.mark.django_db
def test_a_chain_of_each_organization_and_of_the_platform_is_intact():
    entries(3)
    entries(2, southwind())
    audit.record("command", "platform.deed", "x/1")
    assert sealing.seal() == 6
    assert sealing.seal() == 0
    for whose, count in ((northwind().pk, 3), (southwind().pk, 2), (None, 1)):
        verdict = sealing.verify(whose)
        assert (verdict.is_intact, verdict.sealed, verdict.unsealed) == (True, count, 0)
        assert list(AuditSeal.objects.filter(organization_id=whose).order_by("sequence").values_list("sequence")) == [
            (n + 1,) for n in range(count)
        ]


@pytest.mark.django_db
def test_later_seals_go_on_where_the_chain_ended():
    entries(2)
    sealing.seal()
    entries(2)
    sealing.seal()
    assert (found().is_intact, found().head.sequence) == (True, 4)


@pytest.mark.django_db
def test_nothing_written_is_nothing_wrong():
    verdict = found()
    assert (verdict.is_intact, verdict.head, verdict.sealed, verdict.is_anchored) == (True, None, 0, False)
    assert verdict.tail_lasts(now=timezone.now()) == timedelta()


@pytest.mark.django_db
def test_the_unsealed_tail_is_counted_and_its_age_is_said():
    entries(1)
    sealing.seal()
    late, _ = entries(2)
    verdict = found()
    assert (verdict.unsealed, verdict.oldest_unsealed_at) == (2, late.at)
    assert verdict.tail_lasts(now=late.at + timedelta(seconds=40)) == timedelta(seconds=40)


@pytest.mark.django_db
def test_an_entry_that_committed_late_is_sealed_in_the_turn_that_looks_at_all(monkeypatch):
    monkeypatch.setattr(sealing, "LATE", 1)
    entries(3)
    assert sealing.seal() == 1
    assert sealing.seal(whole=True) == 2
    assert found().is_intact


@pytest.mark.django_db
def test_long_arrears_are_sealed_in_turns(monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 2)
    entries(5)
    assert [sealing.seal() for _ in range(4)] == [2, 2, 1, 0]
    assert (found().is_intact, found().sealed) == (True, 5)


@pytest.mark.django_db
def test_only_one_sealer_works_at_a_time():
    entries(1)
    host = os.fspath(plugin.running().postgres_socket_dir)
    with psycopg.connect(host=host, user="app", dbname=plugin.database()) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", sealing.LOCK)
        assert sealing.seal() == 0
        other.rollback()
    assert sealing.seal() == 1


@pytest.mark.django_db
def test_every_column_of_an_entry_is_under_its_seal():
    assert set(OTHER) == set(COLUMNS)
    for column in COLUMNS:
        assert f"e.{column}" in sealing.ROW


@pytest.mark.django_db
@pytest.mark.parametrize("statement", ["UPDATE {} SET seal = ''", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_applications_role_only_adds_seals(statement):
    with (
        connection.cursor() as cursor,
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
    ):
        cursor.execute(statement.format("accounts_auditseal"))


@pytest.mark.django_db
def test_another_key_fits_no_seal(settings):
    entries(2)
    sealing.seal()
    settings.AUDIT_KEY = "another"
    assert found().faults_count == 2


# --- What a superuser does -----------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_of_any_column_is_found(column):
    rows = entries(5)
    sealing.seal()
    with a_superuser() as intruder:
        intruder.execute(
            f"UPDATE accounts_auditentry SET {column} = {OTHER[column]} WHERE id = %s",
            [rows[2].pk],
        )
    assert [fault.sequence for fault in found().faults] == [3]


CHANGES = ["entry gone", "seal gone", "both gone", "entries swapped", "places swapped", "seal replaced", "renumbered"]


def rewrite(intruder, change, at, other, count):
    """Do it to the link at place `at` (and `other`)."""
    whose = northwind().pk
    entry = "SELECT entry_id FROM accounts_auditseal WHERE organization_id = %s AND sequence = %s"
    first = intruder.execute(entry, [whose, at]).fetchone()[0]
    second = intruder.execute(entry, [whose, other]).fetchone()[0]
    if change in ("entry gone", "both gone", "renumbered"):
        intruder.execute("DELETE FROM accounts_auditentry WHERE id = %s", [first])
    if change in ("seal gone", "both gone", "renumbered"):
        intruder.execute("DELETE FROM accounts_auditseal WHERE organization_id = %s AND sequence = %s", [whose, at])
    if change == "renumbered":
        for place in range(at + 1, count + 1):
            intruder.execute(
                "UPDATE accounts_auditseal SET sequence = sequence - 1 WHERE organization_id = %s AND sequence = %s",
                [whose, place],
            )
    if change == "entries swapped":
        for row, place in ((-1, first), (first, second), (second, -1)):
            intruder.execute("UPDATE accounts_auditentry SET id = %s WHERE id = %s", [row, place])
    if change == "places swapped":
        for new, old in ((-1, at), (at, other), (other, -1)):
            intruder.execute(
                "UPDATE accounts_auditseal SET sequence = %s WHERE organization_id = %s AND sequence = %s",
                [new, whose, old],
            )
    if change == "seal replaced":
        intruder.execute(
            "UPDATE accounts_auditseal SET seal = %s WHERE organization_id = %s AND sequence = %s",
            ["0" * 64, whose, at],
        )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_single_removal_swap_or_replacement_is_found_wherever_it_is(change, place):
    count = 6
    entries(count)
    sealing.seal()
    assert found().is_intact
    at = {"first": 1, "middle": 3, "last": count}[place]
    other = random.choice([n for n in range(1, count + 1) if n != at])
    with a_superuser() as intruder:
        rewrite(intruder, change, at, other, count)
    assert not found().is_intact, (change, at, other)


@pytest.mark.django_db(transaction=True)
def test_a_cut_off_end_is_missed_even_when_the_log_has_grown_again():
    entries(5)
    sealing.seal()
    with a_superuser() as intruder:
        intruder.execute("DELETE FROM accounts_auditseal WHERE sequence > 3")
        intruder.execute("DELETE FROM accounts_auditentry WHERE deed IN ('deed.3', 'deed.4')")
    [fault] = found().faults
    assert fault.what == "the chain is cut off: it ends at 3, and was known to reach 5"
    entries(4)
    sealing.seal()
    [fault] = found().faults
    assert fault.what == "the chain was rewritten: seal 5 was known to be another"


@pytest.mark.django_db(transaction=True)
def test_without_a_kept_head_a_cut_is_missed_only_by_who_wrote_one_down():
    entries(5)
    sealing.seal()
    known = found().head
    with a_superuser() as intruder:
        intruder.execute("DELETE FROM accounts_auditseal WHERE sequence > 3")
        intruder.execute("DELETE FROM accounts_auditentry WHERE deed IN ('deed.3', 'deed.4')")
    heads.write(str(northwind().pk), Head(1, AuditSeal.objects.get(sequence=1).seal))
    assert found().is_intact
    assert not found(known=known).is_intact


@pytest.mark.django_db
def test_a_redis_that_is_down_stops_no_seal_and_is_said(monkeypatch):
    entries(2)

    def down():
        raise heads.redis.RedisError("down")

    monkeypatch.setattr(heads, "_client", down)
    assert sealing.seal() == 2
    assert (found().is_intact, found().is_anchored) == (True, False)


@pytest.mark.django_db(transaction=True)
def test_the_command_says_what_is_wrong_and_fails(capsys):
    rows = entries(3)
    sealing.seal()
    call_command("verify_audit")
    said = capsys.readouterr().out
    assert "Northwind: intact, 3 sealed, 0 not yet" in said
    assert "the platform: intact, 0 sealed" in said
    with a_superuser() as intruder:
        intruder.execute("UPDATE accounts_auditentry SET actor = 'x' WHERE id = %s", [rows[1].pk])
    with pytest.raises(CommandError, match="was rewritten: Northwind"):
        call_command("verify_audit", str(northwind().pk))
    assert (
        f"2: the entry, its seal or its place in the chain was changed (entry {rows[1].pk})" in capsys.readouterr().out
    )


@pytest.mark.django_db
@pytest.mark.parametrize("words", [["x"], ["--head", "1:a"], [None, "--head", "1"]])
def test_the_command_refuses_what_it_cannot_read(words):
    named = [str(northwind().pk) if word is None else word for word in words]
    with pytest.raises(CommandError):
        call_command("verify_audit", *named)
