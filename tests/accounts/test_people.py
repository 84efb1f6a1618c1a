"""Can an owner let people in and out, one link for one person, and does an owner always remain?"""

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from accounts import people
from accounts.authentication import member
from accounts.domain import Role
from accounts.models import AuditEntry, Invitation, Membership, User
from tests.factories import NOW, a_browser, a_person, alice, an_organization, bob, charlie, northwind

pytestmark = pytest.mark.django_db
PAGE = "/people/"
NEW = {"username": "dora", "email": "dora@example.org", "password1": "a long one 4711", "password2": "a long one 4711"}


def an_invitation(role: Role = Role.OPERATOR, email: str = "dora@example.org") -> str:
    """The path of a new link to Northwind."""
    answer = a_browser(alice()).post(PAGE, {"email": email, "role": role.value})
    return re.findall(r'id="made-link">http://testserver(/invitations/[^<]+/)<', answer.content.decode())[0]


def role_of(person: User) -> str:
    return Membership.objects.get(user=person, organization=northwind()).role


def test_the_page_shows_members_and_invitations_of_ones_own_and_of_nobody_else():
    bob()
    an_invitation(email="dora@example.org")
    ours = a_browser(alice()).get(PAGE).content.decode()
    theirs = a_browser(charlie()).get(PAGE).content.decode()
    assert [name in ours for name in ("alice@", "bob@", "dora@", "charlie@")] == [True, True, True, False]
    assert [name in theirs for name in ("alice@", "bob@", "dora@", "charlie@")] == [False, False, False, True]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ADMIN])
def test_only_owners_see_and_change_people(role):
    browser = a_browser(a_person("dora", organization=northwind(), role=role))
    mine = Membership.objects.get(user__username="dora")
    assert browser.get(PAGE).status_code == 403
    assert browser.post(PAGE, {"email": "x@example.org", "role": "owner"}).status_code == 403
    assert browser.post(f"{PAGE}{mine.pk}/role/", {"role": "owner"}).status_code == 403
    assert browser.post(f"{PAGE}{mine.pk}/remove/").status_code == 403
    assert b"/people/" not in browser.get("/").content
    assert role_of(mine.user) == role


def test_a_stranger_finds_none_of_our_people():
    alice()
    membership = bob().memberships.get()
    an_invitation()
    browser = a_browser(charlie())
    invitation = Invitation.objects.get()
    addresses = [f"{membership.pk}/role/", f"{membership.pk}/remove/", f"invitations/{invitation.pk}/withdraw/"]
    for address in addresses:
        absent = re.sub(r"\d+", "987654", address)
        foreign = browser.post(PAGE + address, {"role": "owner"})
        assert (foreign.status_code, browser.post(PAGE + absent).status_code) == (404, 404)
    assert role_of(bob()) == "viewer"
    assert Invitation.objects.open(at=invitation.created_at).exists()


def test_a_new_person_joins_by_the_link_once():
    address = an_invitation()
    browser = Client()
    page = browser.get(address)
    assert b"Join Northwind" in page.content
    assert "no-store" in page.headers["Cache-Control"]
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert browser.post(address, NEW).headers["Location"] == "/"
    assert b"Northwind" in browser.get("/").content
    assert role_of(User.objects.get(username="dora")) == "operator"
    again = Client().post(address, NEW | {"username": "eve", "email": "eve@example.org"})
    assert again.status_code == 404
    assert not User.objects.filter(username="eve").exists()
    deeds = set(AuditEntry.objects.filter(organization=northwind()).values_list("deed", "actor"))
    assert {("person.invited", "alice"), ("invitation.accepted", "dora")} <= deeds


def test_somebody_who_is_here_already_joins_as_themselves_and_works_there():
    address = an_invitation(Role.VIEWER)
    browser = a_browser(charlie())
    assert b"signed in as <strong>charlie</strong>" in browser.get(address).content
    browser.post(address)
    assert browser.get("/").context["active_organization"] == northwind()
    assert role_of(charlie()) == "viewer"


def test_a_member_who_accepts_never_loses_rights():
    low, high = an_invitation(Role.VIEWER), an_invitation(Role.ADMIN)
    a_browser(alice()).post(low)
    assert role_of(alice()) == "owner"
    a_browser(bob()).post(high)
    assert role_of(bob()) == "admin"


def test_a_link_that_expired_was_withdrawn_or_is_none_looks_the_same():
    with time_machine.travel(NOW):
        expired = an_invitation()
    withdrawn = an_invitation()
    last = Invitation.objects.latest("created_at")
    a_browser(alice()).post(f"{PAGE}invitations/{last.pk}/withdraw/")
    with time_machine.travel(NOW + timedelta(days=7, seconds=1)):
        bodies = [Client().get(address) for address in (expired, withdrawn, "/invitations/nonsense/")]
    assert [body.status_code for body in bodies] == [404, 404, 404]
    assert len({re.sub(r"csrf\w*.*", "", body.content.decode().split("<main")[1]) for body in bodies}) == 1


def test_two_who_open_one_link_at_once_are_one_member():
    an_invitation()
    invitation = Invitation.objects.get()
    people.accept(invitation, bob(), now=NOW)
    with pytest.raises(people.NotOpen):
        people.accept(invitation, charlie(), now=NOW)
    assert not Membership.objects.filter(user=charlie(), organization=northwind()).exists()


def test_the_secret_of_a_link_is_kept_nowhere():
    text = an_invitation().split("/")[2]
    assert text not in str(Invitation.objects.values())
    assert text not in str(list(AuditEntry.objects.values()))
    assert text not in a_browser(alice()).get(PAGE).content.decode()


@pytest.mark.parametrize("change", [{"email": "nobody"}, {"role": "king"}, {"email": ""}])
def test_an_invitation_that_cannot_be_says_why(change):
    answer = a_browser(alice()).post(PAGE, {"email": "x@example.org", "role": "viewer"} | change)
    assert b'class="error"' in answer.content
    assert not Invitation.objects.exists()


def test_a_weak_password_makes_nobody():
    answer = Client().post(an_invitation(), NEW | {"password1": "short", "password2": "short"})
    assert b"too short" in answer.content
    assert not User.objects.filter(username="dora").exists()


def test_a_role_is_changed_and_recorded():
    browser = a_browser(alice())
    browser.post(f"{PAGE}{bob().memberships.get().pk}/role/", {"role": "operator"})
    assert role_of(bob()) == "operator"
    entry = AuditEntry.objects.get(deed="person.role_changed")
    assert (entry.actor, entry.before, entry.after, entry.subject) == (
        "alice",
        "viewer",
        "operator",
        f"user/{bob().pk}",
    )
    browser.post(f"{PAGE}{bob().memberships.get().pk}/role/", {"role": "king"})
    assert role_of(bob()) == "operator"


def test_somebody_who_is_removed_is_out_at_once():
    theirs, browser = a_browser(bob()), a_browser(alice())
    assert theirs.get("/").status_code == 200
    browser.post(f"{PAGE}{bob().memberships.get().pk}/remove/")
    assert theirs.get("/").status_code == 403
    assert User.objects.filter(username="bob").exists()
    assert AuditEntry.objects.get(deed="person.removed").before == "viewer"


def test_the_last_owner_stays_an_owner():
    browser, mine = a_browser(alice()), alice().memberships.get()
    for deed, data in (("role", {"role": "viewer"}), ("remove", {})):
        answer = browser.post(f"{PAGE}{mine.pk}/{deed}/", data, follow=True)
        assert b"keeps at least one owner" in answer.content
    assert role_of(alice()) == "owner"
    browser.post(f"{PAGE}{bob().memberships.get().pk}/role/", {"role": "owner"})
    assert browser.post(f"{PAGE}{mine.pk}/remove/").headers["Location"] == "/"
    assert not Membership.objects.filter(user=alice()).exists()


def test_owners_of_other_organizations_do_not_count():
    alice().memberships.create(organization=an_organization("Eastwind"), role=Role.OWNER.value)
    charlie()
    membership = Membership.objects.get(user=alice(), organization=northwind())
    with pytest.raises(people.LastOwner):
        people.remove(membership, by=member(alice(), membership))


@pytest.mark.parametrize("n", [1, 40])
def test_the_page_takes_as_many_queries_for_many_people_as_for_few(n, django_assert_max_num_queries):
    browser = a_browser(alice())
    for number in range(n):
        a_person(organization=northwind())
        people.invite(northwind(), f"p{number}@example.org", Role.VIEWER, by=member(alice(), None), now=NOW)
    with django_assert_max_num_queries(8):
        browser.get(PAGE)
