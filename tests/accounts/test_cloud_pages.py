"""Is an account taken on by following the pages alone, left at any step and come back to, and told what failed?"""

import re
from typing import Any

import pytest

from accounts import walk
from accounts.aws import policy, session
from accounts.domain import Role
from accounts.models import AuditEntry, AwsAccount
from spotopt.local.estate import INSTALLATION
from tests.factories import NOW, a_browser, a_person, alice, an_account, bob, charlie, northwind
from tests.fakes.cloud import NORTHWIND

pytestmark = pytest.mark.django_db
EXTERNAL = re.compile(r'(?:src|href)="https?://|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=')
SHOP = {"access": "read", "account_id": NORTHWIND.account_id, "name": "shop", "environment": "LAB"}
FAILED = {
    "account_id_matches": True,
    "assumable": True,
    "assumable_without_external_id": True,
    "missing": ["ec2:DescribeVolumes"],
    "unproven": ["autoscaling:DescribeLifecycleHooks"],
    "region_problems": {"us-east-1": "RegionDisabledException: off"},
    "problems": ["the role can be assumed without its ExternalId: require it in the trust policy"],
    "checked_at": NOW.isoformat(),
}


@pytest.fixture(autouse=True)
def installation(settings):
    settings.INSTALLATION_ACCOUNT_ID = INSTALLATION.account_id
    settings.MARKET_REGIONS = ["eu-west-3"]


@pytest.fixture
def cloud(local_cloud, monkeypatch):
    """The local cloud, entered with the installation's own identity."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_cloud.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", INSTALLATION.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", INSTALLATION.secret_key)
    session.forget_all()
    yield local_cloud
    session.forget_all()


def an_admin():
    return a_browser(a_person(organization=northwind(), role=Role.ADMIN))


def text(client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def a_fresh_account(**fields) -> AwsAccount:
    fresh: dict[str, Any] = {"read_role_arn": "", "is_valid": False, "validated_at": None}
    return an_account(**fresh | fields)


def test_an_account_is_taken_on_by_following_the_pages(cloud):
    admin = an_admin()
    assert 'href="/accounts/new/"' in text(admin, "/accounts/")
    assert "Step 1 of 4" in text(admin, "/accounts/new/")
    enrolled = admin.post("/accounts/new/", SHOP | {"regions": "eu-west-3"})
    account = AwsAccount.objects.get()
    assert enrolled["Location"] == f"/accounts/{account.pk}/role/"
    role_page = text(admin, enrolled["Location"])
    assert account.external_id in role_page
    assert f"arn:aws:iam::{account.account_id}:role/spotopt-read" in role_page
    assert text(admin, f"/accounts/{account.pk}/role/cloudformation/").startswith("# Lets spotopt read")
    cloud.deploy_role(NORTHWIND, account.external_id, *policy.read_actions())
    kept = admin.post(f"/accounts/{account.pk}/role/", {"read_role_arn": NORTHWIND.role_arn})
    assert kept["Location"] == f"/accounts/{account.pk}/"
    assert "Not tried yet" in text(admin, kept["Location"])
    validated = admin.post(f"/accounts/{account.pk}/validate/", headers={"HX-Request": "true"}).content.decode()
    assert validated.lstrip().startswith('<div id="account">')
    assert "Opens for us, and for nobody else" in validated
    page = text(admin, f"/accounts/{account.pk}/")
    assert f'hx-get="/accounts/{account.pk}/inventory/"' in page
    assert "Below: start it" in page
    deeds = AuditEntry.objects.order_by("pk").values_list("deed", flat=True)
    assert list(deeds) == ["account.enrolled", "account.changed", "account.validated"]


@pytest.mark.parametrize(
    "fields, states",
    [
        ({}, ["done", "running", "waiting", "waiting"]),
        ({"read_role_arn": "arn:aws:iam::1:role/x"}, ["done", "done", "running", "waiting"]),
        ({"read_role_arn": "x", "validated_at": NOW}, ["done", "done", "failed", "waiting"]),
        ({"read_role_arn": "x", "validated_at": NOW, "is_valid": True}, ["done", "done", "done", "running"]),
        ({"read_role_arn": "x", "is_valid": True, "synced_at": NOW}, ["done"] * 4),
    ],
)
def test_wherever_the_walk_was_left_the_account_says_whose_turn_it_is(fields, states):
    account = a_fresh_account(**fields)
    assert [step.state.value for step in walk.steps(account)] == states
    page = text(an_admin(), f"/accounts/{account.pk}/")
    assert ("Your turn" in page) == ("running" in states)


def test_a_failed_validation_says_in_words_what_failed_and_what_to_do():
    account = a_fresh_account(read_role_arn="x", validated_at=NOW, validation=FAILED)
    page = text(an_admin(), f"/accounts/{account.pk}/")
    assert "opens for anybody: refused" in page
    assert "must demand the ExternalId" in page
    assert "ec2:DescribeVolumes" in page
    assert "RegionDisabledException: off." in page
    assert "Validate again" in page


@pytest.mark.parametrize("fields", [{"is_valid": False}, {"is_active": False}])
def test_what_is_not_read_any_more_is_not_said_to_be_renewed(fields):
    account = an_account(synced_at=NOW, **fields)
    client = a_browser(alice())
    pages = (f"/accounts/{account.pk}/", f"/accounts/{account.pk}/inventory/")
    texts = [client.get(page).content.decode().lower() for page in pages]
    assert not any("renewed every 15 minutes" in text for text in texts)
    assert "not renewed now" in texts[1]


def test_a_validation_that_could_not_be_made_says_why_and_keeps_the_place(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    session.forget_all()
    account = a_fresh_account(read_role_arn="arn:aws:iam::1:role/x")
    page = an_admin().post(f"/accounts/{account.pk}/validate/").content.decode()
    assert "The installation has no AWS credentials" in page
    account.refresh_from_db()
    assert account.validated_at is None


@pytest.mark.parametrize(
    "said, error",
    [
        ({"account_id": "123"}, "An account id has 12 digits."),
        ({"regions": "mars"}, "&#x27;mars&#x27; is no name of a region"),
        ({"regions": " "}, "This field is required"),
        ({"environment": "PROD"}, "Select a valid choice"),
        ({"access": "act"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_taken_on_is_said_beside_its_field(said, error):
    page = an_admin().post("/accounts/new/", SHOP | {"regions": "eu-west-3"} | said).content.decode()
    assert error in page
    assert not AwsAccount.objects.exists()


def test_an_account_that_is_there_already_is_shown_instead():
    there = an_account(account_id=NORTHWIND.account_id)
    answer = an_admin().post("/accounts/new/", SHOP | {"regions": "eu-west-3"}, follow=True)
    assert answer.redirect_chain[0][0] == f"/accounts/{there.pk}/"
    assert "is there already" in answer.content.decode()


@pytest.mark.parametrize("arn, error", [("nonsense", "no role&#x27;s ARN"), ("arn:aws:iam::999988887777:role/x", "99")])
def test_an_arn_that_cannot_be_is_said_before_aws_is_asked(arn, error):
    account = a_fresh_account()
    assert error in an_admin().post(f"/accounts/{account.pk}/role/", {"read_role_arn": arn}).content.decode()
    account.refresh_from_db()
    assert account.read_role_arn == ""


def test_an_installation_without_an_account_says_what_to_set(settings):
    settings.INSTALLATION_ACCOUNT_ID = ""
    account = a_fresh_account()
    assert "set INSTALLATION_ACCOUNT_ID" in text(an_admin(), f"/accounts/{account.pk}/role/")
    assert an_admin().get(f"/accounts/{account.pk}/role/terraform/").status_code == 404


def test_a_template_of_no_known_kind_is_not_there():
    assert an_admin().get(f"/accounts/{a_fresh_account().pk}/role/pdf/").status_code == 404


def test_other_regions_must_be_validated_again_and_unpriced_ones_are_named():
    account = an_account(regions=["eu-west-3"])
    admin = an_admin()
    admin.post(f"/accounts/{account.pk}/change/", {"name": "renamed", "regions": "eu-west-3, sa-east-1"})
    account.refresh_from_db()
    assert (account.name, account.regions, account.is_valid) == ("renamed", ["eu-west-3", "sa-east-1"], False)
    assert "No prices are fetched for sa-east-1" in text(admin, f"/accounts/{account.pk}/")
    assert "is no name" in admin.post(f"/accounts/{account.pk}/change/", {"name": "x", "regions": "?"}).content.decode()


@pytest.mark.parametrize(
    "now, other, said", [("PROD", "LAB", "Models in testing may be assigned"), ("LAB", "PROD", "no longer judge")]
)
def test_an_owner_reads_what_the_other_environment_changes_before_choosing_it(now, other, said):
    account, owner = an_account(environment=now), a_browser(alice())
    page = text(owner, f"/accounts/{account.pk}/")
    assert page.index(said) < page.index(f'type="submit">Make it {other}')
    assert "nothing is judged again" in page
    assert f"/accounts/{account.pk}/#environment" in text(owner, "/accounts/")
    assert "#environment" not in text(an_admin(), "/accounts/")


def test_only_an_owner_says_which_environment_it_is():
    account = an_account()
    assert "Make it LAB" not in text(an_admin(), f"/accounts/{account.pk}/")
    assert an_admin().post(f"/accounts/{account.pk}/environment/", {"environment": "LAB"}).status_code == 403
    owner = a_browser(alice())
    assert "Make it LAB" in text(owner, f"/accounts/{account.pk}/")
    assert owner.post(f"/accounts/{account.pk}/environment/", {"environment": "mars"}).status_code == 404
    owner.post(f"/accounts/{account.pk}/environment/", {"environment": "LAB"})
    account.refresh_from_db()
    assert account.environment == "LAB"
    assert AuditEntry.objects.get().deed == "account.environment_changed"


def test_an_account_taken_out_of_use_says_so_and_comes_back():
    account = an_account()
    admin = an_admin()
    admin.post(f"/accounts/{account.pk}/use/", {"is_active": "false"})
    assert "out of use" in text(admin, f"/accounts/{account.pk}/")
    assert "bring it back first" in admin.post(f"/accounts/{account.pk}/validate/").content.decode()
    admin.post(f"/accounts/{account.pk}/use/", {"is_active": "true"})
    account.refresh_from_db()
    assert account.is_active


def test_a_viewer_sees_the_account_and_neither_the_external_id_nor_a_button():
    account = an_account(validation=FAILED)
    viewer = a_browser(bob())
    page = text(viewer, f"/accounts/{account.pk}/")
    assert account.external_id not in page
    assert "Validate" not in page.replace("Validated", "")
    assert "Take it out of use" not in page
    assert "Add an account" not in text(viewer, "/accounts/")
    for address in ("new/", f"{account.pk}/role/", f"{account.pk}/role/terraform/", f"{account.pk}/change/"):
        assert viewer.get(f"/accounts/{address}").status_code == 403
    for deed in ("validate", "environment", "use"):
        assert viewer.post(f"/accounts/{account.pk}/{deed}/").status_code == 403


def test_a_stranger_finds_no_account_of_ours():
    account = an_account(name="northwind-shop")
    stranger = a_browser(charlie())
    assert "northwind-shop" not in text(stranger, "/accounts/")
    for rest in ("", "role/", "role/terraform/", "change/"):
        assert stranger.get(f"/accounts/{account.pk}/{rest}").status_code == 404
    for deed in ("role", "change", "validate", "environment", "use"):
        assert stranger.post(f"/accounts/{account.pk}/{deed}/", {"environment": "LAB"}).status_code == 404


def test_filters_order_and_page_stand_in_the_address():
    for n in range(60):
        an_account(name=f"shop-{n:02}")
    an_account(name="broken", is_valid=False, environment="LAB")
    client = a_browser(bob())
    first = text(client, "/accounts/?sort=-name")
    assert "shop-59" in first
    assert "1–50 of 61 accounts" in first
    assert "broken" in text(client, "/accounts/?sort=-name&page=2")
    only = text(client, "/accounts/?state=unfinished&environment=LAB")
    assert "broken" in only
    assert "shop-00" not in only
    assert "No account matches" in text(client, "/accounts/?q=nothing-like-it")
    assert "Select a valid choice" in text(client, "/accounts/?state=fine&sort=weight&page=zero")
    part = client.get("/accounts/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="accounts">')


def test_the_list_is_a_sheet_in_which_no_name_is_a_formula():
    an_account(name="=1+1", regions=["eu-west-3", "us-east-1"])
    answer = a_browser(bob()).get("/accounts/?format=csv")
    assert answer["Content-Type"].startswith("text/csv")
    row = answer.getvalue().decode().splitlines()[1]
    assert row.startswith("'=1+1,")
    assert "eu-west-3 us-east-1" in row


def test_an_empty_list_says_what_to_do_next():
    assert "Four steps" in text(an_admin(), "/accounts/")
    assert "An admin or owner of the organization can add one" in text(a_browser(bob()), "/accounts/")


@pytest.mark.parametrize("n", [1, 60])
def test_the_list_takes_as_many_queries_for_many_as_for_few(n, django_assert_max_num_queries):
    for _ in range(n):
        an_account()
    client = a_browser(alice())
    with django_assert_max_num_queries(7):
        client.get("/accounts/")


def test_names_are_shown_as_text_and_no_page_has_inline_script_or_style():
    evil = "<script>alert(1)</script>"
    account = an_account(name=evil, validation=FAILED)
    client = a_browser(alice())
    for address in ("", "new/", f"{account.pk}/", f"{account.pk}/role/", f"{account.pk}/change/"):
        page = text(client, f"/accounts/{address}")
        assert evil not in page
        assert not EXTERNAL.findall(page)
