"""Does a password alone open nothing that it should not, and does nobody lose their way back in?"""

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import second_factor
from accounts.domain import Role
from accounts.models import AuditEntry, RecoveryCode, TokenFamily
from tests.factories import NOW, PASSWORD, a_browser, a_person, alice, bob, charlie, northwind

pytestmark = pytest.mark.django_db
PAGE = "/second-factor/"
LIST = "/api/v1/lab/instances"
TOKEN = "/api/v1/auth/token/"
EXTERNAL = re.compile(r'(?:src|href)="https?://|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style')


@pytest.fixture(autouse=True)
def required(settings):
    settings.SECOND_FACTOR = "required"


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def code_of(person, clock) -> str:
    """The next code that their authenticator shows: each works once."""
    clock.shift(timedelta(seconds=30))
    device = TOTPDevice.objects.get(user=person)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = (NOW.__class__.now(NOW.tzinfo)).timestamp()
    return f"{totp.token():06d}"


def codes_in(response) -> list[str]:
    return re.findall(r"<li><code>(r[a-z2-7-]+)</code>", response.content.decode())


def enrolled(person, clock) -> tuple[Client, list[str]]:
    """A browser whose session has proved it, and the recovery codes."""
    browser = a_browser(person)
    browser.get(PAGE)
    return browser, codes_in(browser.post(PAGE, {"code": code_of(person, clock)}))


def tokens(person, **body):
    body = {"username": person.username, "password": PASSWORD, **body}
    return Client().post(TOKEN, body, content_type="application/json")


# --- Must they? ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("address", ["/", "/people/", "/keys/", "/instances/1/", "/admin/"])
def test_an_owner_without_a_factor_reaches_the_page_that_asks_for_it_and_no_other(address):
    browser = a_browser(alice())
    answer = browser.get(address)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{PAGE}?next={address.replace('/', '%2F')}")
    assert browser.get(PAGE).status_code == 200


def test_nor_do_they_change_anything_or_call_the_api():
    browser = a_browser(alice())
    assert browser.post("/work-in/", {"organization": str(northwind().pk)}).headers["Location"] == f"{PAGE}?next=%2F"
    part = browser.get("/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/?q=x"})
    assert part.headers["HX-Redirect"] == f"{PAGE}?next=%2F%3Fq%3Dx"
    refused = browser.get(LIST)
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "A second factor is needed first; the page /second-factor/ asks for it.",
    )
    assert tokens(alice()).status_code == 403


def test_they_can_leave():
    browser = a_browser(alice())
    browser.post("/sign-out/")
    assert browser.get("/").headers["Location"] == "/sign-in/?next=/"


def test_staff_need_one_for_the_admin_too(clock):
    root = a_person("root", is_staff=True, is_superuser=True)
    browser = a_browser(root)
    assert browser.get("/admin/").headers["Location"] == f"{PAGE}?next=%2Fadmin%2F"
    browser.get(PAGE)
    browser.post(PAGE, {"code": code_of(root, clock)})
    assert browser.get("/admin/").status_code == 200


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ADMIN])
def test_whoever_lets_nobody_in_and_lets_nothing_act_may_do_without(role):
    browser = a_browser(a_person("dora", organization=northwind(), role=role))
    assert browser.get("/").status_code == 200
    assert browser.get(LIST).status_code == 200


def test_an_owner_elsewhere_needs_it_here_as_well():
    person = bob()
    person.memberships.create(organization=charlie().memberships.get().organization, role=Role.OWNER.value)
    assert a_browser(person).get("/").status_code == 302


def test_where_it_is_optional_owners_come_in_without_but_whoever_has_one_is_asked(settings, clock):
    settings.SECOND_FACTOR = "optional"
    assert a_browser(alice()).get("/").status_code == 200
    enrolled(alice(), clock)
    assert a_browser(alice()).get("/").status_code == 302
    assert tokens(alice()).status_code == 401


def test_nobody_unknown_is_asked_for_a_code(client):
    assert client.get(PAGE).headers["Location"] == f"/sign-in/?next={PAGE}"


# --- Getting one --------------------------------------------------------------------------------------------------
def test_an_owner_enrols_is_shown_ten_codes_once_and_goes_on(clock):
    browser = a_browser(alice())
    page = browser.get(PAGE)
    shown = page.content.decode()
    device = TOTPDevice.objects.get()
    assert second_factor.secret_of(device) in shown
    assert not EXTERNAL.findall(shown)
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "no-store" in page.headers["Cache-Control"]
    before = browser.session.session_key
    done = browser.post(PAGE, {"code": code_of(alice(), clock), "next": "/?q=web"})
    codes = codes_in(done)
    assert len(set(codes)) == 10
    assert 'href="/?q=web"' in done.content.decode()
    assert browser.session.session_key != before
    assert browser.get("/").status_code == 200
    assert browser.get(LIST).status_code == 200
    assert not [code for code in codes if code in browser.get(PAGE).content.decode()]
    assert not RecoveryCode.objects.filter(digest__in=codes).exists()
    assert AuditEntry.objects.get(deed="second_factor.enrolled").person == alice()


def test_the_picture_is_of_the_secret():
    device = second_factor.offered(alice())
    assert device.config_url.startswith("otpauth://totp/spotopt%3Aalice?secret=")
    side, path = second_factor.picture_of(device.config_url)
    assert path.startswith("M4 4h1v1h-1z")  # the corner, inside a quiet zone of four
    assert side >= 33


def test_a_wrong_code_enrols_nobody_and_the_secret_stays_the_same(clock):
    browser = a_browser(alice())
    first = browser.get(PAGE).content
    answer = browser.post(PAGE, {"code": "000000"})
    assert b"This code is not valid" in answer.content
    assert second_factor.secret_of(TOTPDevice.objects.get()).encode() in first
    assert browser.get("/").status_code == 302


def test_an_authenticator_is_not_replaced_by_whoever_knows_the_password(clock):
    enrolled(alice(), clock)
    thief = a_browser(alice())
    assert b"<svg" not in thief.get(PAGE).content
    assert second_factor.enrol(alice(), "000000", now=NOW) is None


# --- Proving it ---------------------------------------------------------------------------------------------------
def test_a_new_session_is_asked_and_goes_where_it_wanted_to(clock):
    enrolled(alice(), clock)
    browser = a_browser(alice())
    assert browser.get("/keys/").headers["Location"] == f"{PAGE}?next=%2Fkeys%2F"
    done = browser.post(PAGE, {"code": code_of(alice(), clock), "next": "/keys/"})
    assert done.headers["Location"] == "/keys/"
    assert browser.get("/keys/").status_code == 200


def test_nobody_is_sent_to_another_site(clock):
    enrolled(alice(), clock)
    browser = a_browser(alice())
    done = browser.post(PAGE, {"code": code_of(alice(), clock), "next": "//evil.example/"})
    assert done.headers["Location"] == "/"


def test_a_code_works_once_and_not_for_somebody_else(clock):
    enrolled(charlie(), clock)
    enrolled(alice(), clock)
    code = code_of(alice(), clock)
    assert b"not valid" in a_browser(charlie()).post(PAGE, {"code": code}).content
    assert a_browser(alice()).post(PAGE, {"code": code}).status_code == 302
    assert b"not valid" in a_browser(alice()).post(PAGE, {"code": code}).content


def test_a_recovery_code_stands_in_once(clock):
    codes = enrolled(alice(), clock)[1]
    browser = a_browser(alice())
    assert browser.post(PAGE, {"code": codes[0].upper()}).status_code == 302
    assert b"9 recovery codes left" in browser.get(PAGE).content
    assert b"not valid" in a_browser(alice()).post(PAGE, {"code": codes[0]}).content
    assert AuditEntry.objects.filter(deed="second_factor.recovery_code_used", person=alice()).count() == 1


def test_guessing_codes_is_stopped(clock):
    codes = enrolled(alice(), clock)[1]
    clock.shift(timedelta(minutes=2))
    browser = a_browser(alice())
    answers = [browser.post(PAGE, {"code": f"{number:06d}"}).status_code for number in range(11)]
    assert answers == [200] * 10 + [429]
    assert browser.post(PAGE, {"code": codes[0]}).status_code == 429
    assert browser.get("/").status_code == 302


def test_without_redis_no_code_is_taken_uncounted(clock, settings):
    codes = enrolled(alice(), clock)[1]
    settings.REDIS_CACHE_URL = "unix:///nonexistent/redis?db=0"
    assert a_browser(alice()).post(PAGE, {"code": codes[0]}).status_code == 503


# --- Changing it --------------------------------------------------------------------------------------------------
def test_new_codes_end_the_old_ones_and_need_a_code(clock):
    browser, old = enrolled(alice(), clock)
    assert b"not valid" in browser.post(PAGE, {"code": "x", "deed": "codes"}).content
    new = codes_in(browser.post(PAGE, {"code": code_of(alice(), clock), "deed": "codes"}))
    assert len(new) == 10
    assert b"not valid" in a_browser(alice()).post(PAGE, {"code": old[0]}).content
    assert a_browser(alice()).post(PAGE, {"code": new[0]}).status_code == 302


def test_a_removed_authenticator_ends_tokens_and_sessions_and_an_owner_enrols_anew(clock):
    browser, codes = enrolled(alice(), clock)
    access = tokens(alice(), code=code_of(alice(), clock)).json()["access"]
    other = a_browser(alice())
    other.post(PAGE, {"code": codes[0]})
    assert other.get("/").status_code == 200
    browser.post(PAGE, {"code": code_of(alice(), clock), "deed": "remove"})
    assert not TOTPDevice.objects.filter(confirmed=True).exists()
    assert not RecoveryCode.objects.exists()
    assert [each.get("/").status_code for each in (browser, other)] == [302, 302]
    assert Client(headers={"Authorization": f"Bearer {access}"}).get(LIST).status_code == 401


def test_staff_free_somebody_who_lost_everything_and_read_no_secret(clock):
    enrolled(alice(), clock)
    root = a_person("root", is_staff=True, is_superuser=True)
    browser = enrolled(root, clock)[0]
    device = TOTPDevice.objects.get(user=alice())
    page = browser.get(f"/admin/otp_totp/totpdevice/{device.pk}/change/")
    assert page.status_code == 200
    assert device.key not in page.content.decode()
    picture = browser.get(f"/admin/otp_totp/totpdevice/{device.pk}/qrcode/", follow=True)
    assert b"svg" not in picture.headers["Content-Type"].encode()
    assert browser.get("/admin/otp_totp/totpdevice/add/").status_code == 403
    browser.post(f"/admin/otp_totp/totpdevice/{device.pk}/delete/", {"post": "yes"})
    assert second_factor.device_of(alice()) is None
    assert AuditEntry.objects.get(deed="admin.deleted").actor == "root"


# --- Tokens -------------------------------------------------------------------------------------------------------
def test_a_program_proves_both_factors_for_its_tokens(clock):
    codes = enrolled(alice(), clock)[1]
    assert tokens(alice()).status_code == 401
    assert tokens(alice(), code="000000").json()["detail"] == tokens(alice()).json()["detail"]
    clock.shift(timedelta(minutes=5))
    access = tokens(alice(), code=code_of(alice(), clock)).json()["access"]
    assert Client(headers={"Authorization": f"Bearer {access}"}).get(LIST).status_code == 200
    assert tokens(alice(), code=codes[1]).status_code == 200


def test_a_viewers_token_is_worth_nothing_once_they_are_an_owner():
    access = tokens(bob()).json()["access"]
    client = Client(headers={"Authorization": f"Bearer {access}"})
    assert client.get(LIST).status_code == 200
    bob().memberships.update(role=Role.OWNER.value)
    assert client.get(LIST).status_code == 401


def test_enrolling_ends_the_tokens_that_were_had_without(clock):
    tokens(bob())
    enrolled(bob(), clock)
    assert TokenFamily.objects.get().revoked_at
