"""Is every row of the feed told once, in one order, however its transaction ends, and forgotten in time?"""

from datetime import timedelta

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection, transaction

from accounts import audit, feed
from accounts.feed import Kind
from accounts.models import FeedItem
from accounts.tasks import trim_feed
from tests.factories import alice, northwind, southwind

MOST = 100


def numbers(stream, last=0):
    return [row.number for row in feed.after(stream, last, most=MOST)]


def words(stream, last=0):
    return [row.body["word"] for row in feed.after(stream, last, most=MOST)]


@pytest.mark.django_db
def test_each_organization_and_the_platform_count_for_themselves():
    for stream in (northwind().pk, southwind().pk, northwind().pk, None):
        feed.tell(stream, Kind.JOB, {"word": str(stream)})
    assert numbers(northwind().pk) == [1, 2]
    assert numbers(southwind().pk) == numbers(None) == [1]
    assert words(None) == ["None"]
    assert (feed.head(northwind().pk), feed.head(None)) == (2, 1)


@pytest.mark.django_db
def test_a_reader_goes_on_from_the_last_number_it_has():
    ours = northwind().pk
    feed.tell_all(ours, Kind.JOB, ({"word": word} for word in "abcd"))
    assert words(ours, last=2) == ["c", "d"]
    assert [row.body["word"] for row in feed.after(ours, 0, until=3, most=2)] == ["a", "b"]
    assert feed.after(ours, 4, most=MOST) == []


@pytest.mark.django_db(transaction=True)
def test_a_row_that_commits_after_a_later_one_is_not_skipped():
    """The late row took the lower id; whoever had read past that id would never ask for it again."""
    ours = northwind().pk
    late = psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor})
    insert = (
        "INSERT INTO accounts_feeditem (organization_id, kind, at, body) VALUES (%s, 'job', now(), %s) RETURNING id"
    )
    (lower,) = late.execute(insert, [ours, '{"word": "late"}']).fetchone()
    feed.tell(ours, Kind.JOB, {"word": "early"})
    assert FeedItem.objects.get(organization=ours).pk > lower
    (early,) = feed.after(ours, 0, most=MOST)
    assert early.body["word"] == "early"
    late.commit()
    late.close()
    assert words(ours, last=early.number) == ["late"]
    assert words(ours) == ["early", "late"]


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_rolled_back_leaves_no_gap():
    ours = northwind().pk
    feed.tell(ours, Kind.JOB, {"word": "before"})
    with transaction.atomic():
        feed.tell(ours, Kind.JOB, {"word": "never"})
        transaction.set_rollback(True)
    feed.tell(ours, Kind.JOB, {"word": "after"})
    assert numbers(ours) == [1, 2]
    assert words(ours) == ["before", "after"]


@pytest.mark.django_db(transaction=True)
def test_two_readers_at_once_give_out_each_number_once():
    """The second waits for the first, and then sees what the first has numbered."""
    ours = northwind().pk
    feed.tell(ours, Kind.JOB, {"word": "a"})
    assert numbers(ours) == [1]
    feed.tell(ours, Kind.JOB, {"word": "b"})
    first = psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor})
    first.execute("SELECT 1 FROM accounts_feedhead WHERE organization_id = %s FOR UPDATE", [ours])
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    with pytest.raises(Exception, match="lock timeout"):
        feed.head(ours)
    first.rollback()
    first.close()
    assert numbers(ours) == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_whoever_watches_is_woken_once_the_deed_is_committed_and_not_before():
    client = redis.Redis.from_url(settings.REDIS_LIVE_URL)
    ears = client.pubsub(ignore_subscribe_messages=True)
    ears.subscribe(feed.CHANNEL)
    ears.get_message(timeout=5)
    ours = str(northwind().pk).encode()

    def woken(timeout):
        while heard := ears.get_message(timeout=timeout):  # other tests' organizations are heard too
            if heard["data"] == ours:
                return True
        return False

    with transaction.atomic():
        feed.tell(northwind().pk, Kind.JOB, {})
        assert not woken(0.05)
    assert woken(5)
    ears.close()
    client.close()


@pytest.mark.django_db(transaction=True)
def test_a_deed_stands_although_redis_is_away(settings, tmp_path):
    settings.REDIS_LIVE_URL = f"unix://{tmp_path}/nobody"
    audit.record("beat", "policy.changed", "policy/3", organization=northwind())
    assert numbers(northwind().pk) == [1]


@pytest.mark.django_db
def test_an_audit_entry_and_its_row_are_one_deed():
    entry = audit.record("beat", "policy.changed", alice(), organization=northwind(), after={"limit": 3})
    (row,) = feed.after(northwind().pk, 0, most=MOST)
    assert row.kind is Kind.AUDIT
    assert (row.body["id"], row.body["actor"], row.body["after"]) == (entry.pk, "beat", {"limit": 3})


@pytest.mark.django_db
def test_old_rows_are_forgotten_and_numbers_go_on(settings):
    settings.FEED_RETENTION_HOURS = 1
    ours = northwind().pk
    feed.tell_all(ours, Kind.JOB, [{"word": "old"}, {"word": "new"}])
    assert numbers(ours) == [1, 2]
    old = FeedItem.objects.get(number=1)
    FeedItem.objects.filter(pk=old.pk).update(at=old.at - timedelta(hours=2))
    trim_feed()
    assert words(ours) == ["new"]
    FeedItem.objects.all().delete()
    feed.tell(ours, Kind.JOB, {"word": "next"})
    assert numbers(ours) == [3]
