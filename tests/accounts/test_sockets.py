"""Who is let in to a socket, what do they hear, and when are they let go?"""

import json

import pytest
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import audit, feed, keys, people, reach, tokens
from accounts.authentication import member
from accounts.domain import Role
from accounts.feed import Kind
from accounts.live import door, hub, socket
from accounts.live.socket import NO_LONGER_ALLOWED, NOT_THERE, TOO_LARGE, TOO_MANY, TRY_AGAIN, UNUSABLE
from accounts.models import ApiKey, FeedItem, Organization
from tests.factories import a_browser, a_person, a_program, alice, an_api_key, bob, charlie, northwind, southwind
from tests.sockets import Open, cookie_of, done, played

pytestmark = pytest.mark.django_db(transaction=True)
AUDIT = "/ws/audit/"


@pytest.fixture
def ours():
    alice()
    return northwind()


def entries(organization, *deeds):
    for deed in deeds:
        audit.record("beat", deed, "policy/3", organization=organization)


def ticket_of(client):
    answer = client.post("/api/v1/auth/ws-ticket/", {}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert answer.json()["expires_in"] == 30
    return answer.json()["ticket"]


# --- Hearing ------------------------------------------------------------------------------------------------------
def test_an_entry_is_heard_as_it_is_written_and_by_nobody_else(ours):
    here, there = cookie_of(bob()), cookie_of(charlie())

    async def story():
        async with Open(AUDIT, session=here) as bobs, Open(AUDIT, session=there) as charlies:
            assert (await bobs.hears_json()) == {"last": 0, "missed": False, "items": []}
            await charlies.hears_json()
            await done(entries, ours, "policy.changed")
            (entry,) = await bobs.hears_items(1)
            assert (entry["number"], entry["actor"], entry["deed"]) == (1, "beat", "policy.changed")
            assert await charlies.hears_nothing()

    played(story)


def test_whoever_comes_back_says_the_last_number_and_gets_what_was_missed_then_what_follows(ours):
    session = cookie_of(alice())
    entries(ours, "one", "two", "three")

    async def story():
        async with Open(f"{AUDIT}?last=1", session=session) as here:
            assert (await here.hears_json()) == {"last": 1, "missed": False, "items": []}
            assert [row["deed"] for row in await here.hears_items(2)] == ["two", "three"]
            await done(entries, ours, "four")
            assert [row["number"] for row in await here.hears_items(1)] == [4]

    played(story)


def test_whoever_missed_more_than_is_kept_is_told_so(ours):
    session = cookie_of(alice())
    entries(ours, "one", "two", "three")
    feed.head(ours.pk)
    FeedItem.objects.filter(number__lte=2).delete()

    async def story():
        for last, missed in (("1", True), ("2", False), ("99", True), ("3", False)):
            async with Open(f"{AUDIT}?last={last}", session=session) as here:
                assert (await here.hears_json())["missed"] is missed, last

    played(story)


def test_a_late_commit_reaches_a_socket_that_has_heard_a_later_row(ours):
    session = cookie_of(alice())

    async def story():
        async with Open(AUDIT, session=session) as here:
            await here.hears_json()
            late = await done(_a_row_that_waits, ours)
            await done(entries, ours, "early")
            assert [row["deed"] for row in await here.hears_items(1)] == ["early"]
            await done(late)
            assert [row["deed"] for row in await here.hears_items(1)] == ["late"]

    played(story)


def _a_row_that_waits(organization):
    import psycopg
    from django.db import connection

    late = psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor})
    body = {"at": "2026-11-18T12:00:00+00:00", "deed": "late", "actor": "beat", "subject": ""}
    late.execute(
        "INSERT INTO accounts_feeditem (organization_id, kind, at, body) VALUES (%s, 'audit', now(), %s)",
        [organization.pk, json.dumps(body)],
    )

    def commit():
        late.commit()
        late.close()
        feed.wake(organization.pk)

    return commit


def test_what_no_message_told_of_is_found_all_the_same(ours, monkeypatch):
    session = cookie_of(alice())
    monkeypatch.setattr(hub, "LOOKS_EVERY", 0.05)
    monkeypatch.setattr(feed, "wake", lambda stream: None)

    async def story():
        async with Open(AUDIT, session=session) as here:
            await here.hears_json()
            await done(entries, ours, "quiet")
            assert [row["deed"] for row in await here.hears_items(1)] == ["quiet"]

    played(story)


def test_a_frame_asks_for_something_else_in_the_same_words_as_the_address(ours):
    session = cookie_of(alice())
    entries(ours, "one", "two")

    async def story():
        async with Open(f"{AUDIT}?deed=tw&last=0", session=session) as here:
            await here.hears_json()
            assert [row["deed"] for row in await here.hears_items(1)] == ["two"]
            await here.says({"deed": "ON", "last": 0})
            assert (await here.hears_json())["items"] == []
            assert [row["deed"] for row in await here.hears_items(1)] == ["one"]

    played(story)


# --- Being let in -------------------------------------------------------------------------------------------------
def test_a_session_opens_a_socket_from_our_own_pages_alone(ours):
    session = cookie_of(alice())
    origins = {
        "http://testserver": True,
        "https://testserver": False,  # HTTPS is off here
        "http://testserver.evil.example": False,
        "http://evil.example": False,
        "null": False,
        None: False,
    }

    async def story():
        for origin, is_let_in in origins.items():
            async with Open(AUDIT, session=session, origin=origin) as here:
                assert here.is_in is is_let_in, origin
        async with Open(AUDIT, session=session, origin="http://evil.example", host="evil.example") as here:
            assert not here.is_in

    played(story)


def test_nobody_and_no_token_in_an_address_and_no_other_address_is_let_in(ours):
    pair = tokens.issue(alice(), ours, has_second_factor=True, now=timezone.now())
    session = cookie_of(alice())
    a_browser(alice())

    async def story():
        for address in (AUDIT, f"{AUDIT}?ticket={pair.access}", f"{AUDIT}?ticket=", f"{AUDIT}?token={pair.access}"):
            async with Open(address) as here:
                assert not here.is_in, address
        async with Open(AUDIT, origin=None, authorization=f"Bearer {pair.access}") as here:
            assert not here.is_in
        async with Open("/ws/nothing/", session=session) as here:
            assert not here.is_in
        async with Open(AUDIT, session="a-guess") as here:
            assert not here.is_in

    played(story)


def test_a_ticket_opens_one_socket_once(ours):
    tickets = [ticket_of(a_browser(alice())), ticket_of(a_program(ours))]
    pair = tokens.issue(alice(), ours, has_second_factor=True, now=timezone.now())
    client = a_browser(charlie())
    client.logout()
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {pair.access}"
    tickets.append(ticket_of(client))
    entries(ours, "one")

    async def story():
        for ticket in tickets:
            async with Open(f"{AUDIT}?ticket={ticket}&last=0", origin=None) as here:
                assert here.is_in
                await here.hears_json()
                assert [row["deed"] for row in await here.hears_items(1)] == ["one"]
            async with Open(f"{AUDIT}?ticket={ticket}", origin=None) as again:
                assert not again.is_in

    played(story)


def test_a_ticket_from_a_page_elsewhere_is_worth_nothing(ours):
    ticket = ticket_of(a_program(ours))

    async def story():
        async with Open(f"{AUDIT}?ticket={ticket}", origin="http://evil.example") as here:
            assert not here.is_in

    played(story)


def test_whoever_owes_a_second_factor_on_pages_owes_it_here(ours, settings):
    settings.SECOND_FACTOR = "required"
    enrolled = a_person("dora", organization=ours, role=Role.VIEWER)
    TOTPDevice.objects.create(user=enrolled, confirmed=True)
    sessions = {cookie_of(alice()): False, cookie_of(enrolled): False, cookie_of(bob()): True}

    async def story():
        for session, is_let_in in sessions.items():
            async with Open(AUDIT, session=session) as here:
                assert here.is_in is is_let_in

    played(story)


def test_no_ticket_is_given_while_redis_is_away(ours, settings, tmp_path):
    settings.REDIS_LIVE_URL = f"unix://{tmp_path}/nobody"
    answer = a_browser(alice()).post("/api/v1/auth/ws-ticket/", {}, content_type="application/json")
    assert answer.status_code == 503
    assert "Redis" in answer.json()["detail"]


# --- Being let go -------------------------------------------------------------------------------------------------
def test_signing_out_closes_what_the_session_opened(ours):
    browser = a_browser(alice())
    session = browser.cookies["sessionid"].value

    async def story():
        async with Open(AUDIT, session=session) as here, Open("/ws/pages/", session=session) as page:
            await here.hears_json()
            await done(browser.post, "/sign-out/")
            assert await here.is_closed_with() == NO_LONGER_ALLOWED
            assert await page.is_closed_with() == NO_LONGER_ALLOWED

    played(story)


def _revoke_key():
    keys.revoke(ApiKey.objects.get(), now=timezone.now())


def test_a_revoked_key_closes_its_sockets(ours):
    ticket = ticket_of(a_program(ours))

    async def story():
        async with Open(f"{AUDIT}?ticket={ticket}", origin=None) as here:
            await here.hears_json()
            await done(_revoke_key)
            assert await here.is_closed_with() == NO_LONGER_ALLOWED

    played(story)


def test_a_membership_that_changes_or_ends_closes_the_persons_sockets(ours):
    session, by = cookie_of(bob()), member(alice(), alice().memberships.get())
    membership = bob().memberships.get()

    async def story():
        for change in (
            lambda: people.change_role(membership, Role.ADMIN, by=by),
            lambda: people.remove(membership, by=by),
        ):
            async with Open(AUDIT, session=session) as here:
                await here.hears_json()
                await done(change)
                assert await here.is_closed_with() == NO_LONGER_ALLOWED

    played(story)


def test_ended_tokens_close_the_sockets_of_their_tickets(ours):
    pair = tokens.issue(alice(), ours, has_second_factor=True, now=timezone.now())
    client = a_program(ours)
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {pair.access}"
    ticket = ticket_of(client)

    async def story():
        async with Open(f"{AUDIT}?ticket={ticket}", origin=None) as here:
            await here.hears_json()
            await done(tokens.revoke, pair.refresh, now=timezone.now())
            assert await here.is_closed_with() == NO_LONGER_ALLOWED

    played(story)


def test_a_membership_is_looked_at_again_although_nobody_said_that_it_ended(ours, monkeypatch):
    session, membership = cookie_of(bob()), bob().memberships.get()
    assert socket.LOOKS_AGAIN_EVERY == 300
    monkeypatch.setattr(socket, "LOOKS_AGAIN_EVERY", 0.05)

    async def story():
        async with Open(AUDIT, session=session) as here:
            await here.hears_json()
            await done(membership.delete)
            assert await here.is_closed_with() == NO_LONGER_ALLOWED

    played(story)


def test_each_frame_is_asked_by_somebody_who_still_may(ours):
    session, membership = cookie_of(bob()), bob().memberships.get()

    async def story():
        async with Open(AUDIT, session=session) as here:
            await here.hears_json()
            await done(membership.delete)
            await here.says({"last": 0})
            assert await here.is_closed_with() == NO_LONGER_ALLOWED

    played(story)


# --- Limits -------------------------------------------------------------------------------------------------------
def test_a_frame_that_cannot_be_served_closes_the_socket_with_the_reason(ours):
    session = cookie_of(alice())
    frames = {
        "{": UNUSABLE,
        "[]": UNUSABLE,
        '{"last": "-1"}': UNUSABLE,
        '{"last": 99999999999999999999}': UNUSABLE,
        '{"dead": "policy"}': UNUSABLE,
        '{"since": "yesterday"}': UNUSABLE,
        '{"customer_id": "00000000-0000-0000-0000-000000000000"}': NOT_THERE,
        '{"deed": "' + "x" * 2**16 + '"}': TOO_LARGE,
    }

    async def story():
        for said, code in frames.items():
            async with Open(AUDIT, session=session) as here:
                await here.hears_json()
                await here.says(said)
                assert await here.is_closed_with() == code, said[:80]

    played(story)


def test_twenty_frames_a_second_are_taken_and_no_more(ours, monkeypatch):
    session = cookie_of(alice())
    monkeypatch.setattr(socket, "IN_SECONDS", 3600)  # or a slow machine would never send as many in time

    async def story():
        async with Open(AUDIT, session=session) as here:
            for _ in range(socket.MOST_FRAMES + 1):
                await here.says({"last": 0})
            assert await here.is_closed_with() == TOO_MANY
            assert here.frames_heard == 1 + 20  # the address's own answer, and one for each frame taken

    played(story)


def test_a_reader_that_does_not_read_is_dropped_and_the_others_hear_on(ours, monkeypatch):
    session = cookie_of(alice())
    monkeypatch.setattr(socket, "OUTBOX", 3)

    async def story():
        async with Open(AUDIT, session=session) as slow, Open(AUDIT, session=session) as quick:
            await slow.hears_json()
            await quick.hears_json()
            slow.stops_reading()
            for number in range(8):
                await done(entries, ours, f"deed {number}")
                (row,) = await quick.hears_items(1)
                assert row["deed"] == f"deed {number}"
            slow.reads_on()
            assert await slow.is_closed_with() == TRY_AGAIN

    played(story)


# --- Pages --------------------------------------------------------------------------------------------------------
def test_a_toast_comes_to_its_person_in_the_organization_that_it_is_of(ours):
    sessions = [cookie_of(alice()), cookie_of(bob())]

    async def story():
        async with Open("/ws/pages/", session=sessions[0]) as hers, Open("/ws/pages/", session=sessions[1]) as his:
            elsewhere = await done(southwind)
            await done(reach.toast, await done(alice), elsewhere.pk, "not here", address="/")
            await done(reach.toast, await done(alice), ours.pk, "web-1: <switch>", address="/decisions/1/")
            told = await hers.hears()
            assert "web-1: &lt;switch&gt;" in told
            assert 'href="/decisions/1/"' in told
            assert await his.hears_nothing()

    played(story)


def test_a_page_is_paused_and_then_told_what_happened_meanwhile(ours):
    session = cookie_of(alice())

    async def story():
        async with Open("/ws/pages/", session=session) as page:
            await page.says({"part": "audit", "last": "0", "HEADERS": {"HX-Request": "true"}})
            assert 'id="last-audit" value="0"' in await page.hears()
            await done(entries, ours, "one")
            assert "one" in await page.hears()
            await page.says({"part": "audit", "last": "1", "paused": "on"})
            await done(entries, ours, "two")
            assert await page.hears_nothing()
            await page.says({"part": "audit", "last": "1"})
            assert 'value="1"' in await page.hears()
            told = await page.hears()
            assert "two" in told
            assert "one" not in told
            assert 'value="2"' in told

    played(story)


def test_a_part_that_is_not_there_is_as_a_strangers(ours):
    session = cookie_of(alice())
    key = ticket_of(a_program(ours))

    async def story():
        for said in ({"part": "nothing"}, {"part": "run", "run": "7"}, {"part": "audit", "of": "platform"}):
            async with Open("/ws/pages/", session=session) as page:
                await page.says(said)
                assert await page.is_closed_with() == NOT_THERE
        async with Open(f"/ws/pages/?ticket={key}", origin=None) as page:
            assert not page.is_in  # programs have no page

    played(story)


def test_a_key_of_the_platform_names_a_customer_for_its_ticket_or_hears_the_platforms_own(ours):
    key = an_api_key(None)
    client = a_browser(charlie())
    client.logout()
    client.defaults["HTTP_AUTHORIZATION"] = f"Api-Key {key}"
    plain = ticket_of(client)
    named = client.post(f"/api/v1/auth/ws-ticket/?customer_id={ours.pk}", {}, content_type="application/json")
    feed.tell(None, Kind.AUDIT, {"at": "2026-11-18T12:00:00+00:00", "deed": "admin", "actor": "", "subject": ""})
    entries(ours, "theirs")

    async def story():
        for ticket, deed in ((plain, "admin"), (named.json()["ticket"], "theirs")):
            async with Open(f"{AUDIT}?ticket={ticket}&last=0", origin=None) as here:
                await here.hears_json()
                assert [row["deed"] for row in await here.hears_items(1)] == [deed]

    played(story)


def test_the_door_knows_when_rights_have_changed(ours):
    session = cookie_of(alice())
    guest = door.enter({"host": "testserver", "origin": "http://testserver", "cookie": f"sessionid={session}"}, None)
    assert door.again(guest) is not None
    alice().memberships.update(role=Role.VIEWER.value)
    assert door.again(guest) is None
    alice().memberships.update(role=Role.OWNER.value)
    person = alice()
    person.set_password("another long one 99")
    person.save()
    assert door.again(guest) is None
    assert Organization.objects.count() == 1
