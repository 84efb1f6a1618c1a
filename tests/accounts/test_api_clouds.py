"""Lab 1–5: are accounts taken on, changed, tried and taken out of use, by whoever may, and only their own?"""

import pytest

from accounts.aws import session
from accounts.domain import Role, Scope
from accounts.models import AuditEntry, AwsAccount
from tests.accounts.scripted_aws import ACCOUNT, NOW, assumed
from tests.accounts.test_aws_validation import aws, door, trusting  # noqa: F401 -- fixtures
from tests.factories import (
    a_browser,
    a_person,
    a_program,
    alice,
    an_account,
    bob,
    charlie,
    northwind,
    southwind,
)

pytestmark = pytest.mark.django_db
LIST = "/api/v1/lab/accounts"
SHOP = {"account_id": "111122223333", "name": "shop", "regions": ["eu-west-3", "us-east-1"]}


@pytest.fixture(autouse=True)
def installation(settings):
    settings.INSTALLATION_ACCOUNT_ID = "999988887777"


def an_admin():
    return a_browser(a_person(organization=northwind(), role=Role.ADMIN))


def send(client, verb, address, body=None):
    return getattr(client, verb)(address, body, content_type="application/json")


def faults(response) -> dict[str, str]:
    assert response.status_code == 422, response.content
    return {error["pointer"]: error["detail"] for error in response.json()["errors"]}


def test_an_admin_takes_an_account_on_and_learns_its_external_id():
    answer = send(an_admin(), "post", LIST, SHOP)
    account = AwsAccount.objects.get()
    assert answer.status_code == 201
    assert answer["Location"].endswith(f"{LIST}/{account.pk}")
    said = answer.json()
    assert said["external_id"] == account.external_id
    assert (said["environment"], said["is_valid"], said["validation"]) == ("LAB", False, None)
    assert account.organization == northwind()
    entry = AuditEntry.objects.get(deed="account.enrolled")
    assert entry.after["regions"] == SHOP["regions"]
    assert account.external_id not in str(entry.after)


def test_each_account_has_an_external_id_of_its_own_that_nobody_chooses():
    chosen = faults(send(an_admin(), "post", LIST, SHOP | {"external_id": "mine"}))
    assert "#/external_id" in chosen
    send(an_admin(), "post", LIST, SHOP)
    send(a_browser(charlie()), "post", LIST, SHOP)
    assert AwsAccount.objects.values("external_id").distinct().count() == 2


def test_an_account_that_is_there_already_is_named_and_not_made_twice():
    send(an_admin(), "post", LIST, SHOP)
    again = send(an_admin(), "post", LIST, SHOP | {"name": "shop two"})
    assert again.status_code == 409
    assert again.json()["state"] == {"id": AwsAccount.objects.get().pk, "is_active": True}


@pytest.mark.parametrize(
    "change, pointer",
    [
        ({"account_id": "12345"}, "#/account_id"),
        ({"account_id": "１１１１２２２２３３３３"}, "#/account_id"),
        ({"regions": []}, "#/regions"),
        ({"regions": ["mars"]}, "#/regions/0"),
        ({"regions": ["eu-west-3"] * 41}, "#/regions"),
        ({"name": ""}, "#/name"),
        ({"name": "x" * 121}, "#/name"),
        ({"environment": "prod"}, "#/environment"),
        ({"enviroment": "LAB"}, "#/enviroment"),
    ],
)
def test_what_cannot_be_taken_on_is_pointed_at(change, pointer):
    assert pointer in faults(send(an_admin(), "post", LIST, SHOP | change))
    assert not AwsAccount.objects.exists()


def test_viewers_and_operators_read_without_the_external_id_and_change_nothing():
    account = an_account()
    for client in (
        a_browser(bob()),
        a_browser(a_person(organization=northwind(), role=Role.OPERATOR)),
        a_program(northwind(), Scope.READ, Scope.DECIDE, Scope.EXECUTE),
    ):
        assert client.get(LIST).json()["results"][0]["external_id"] is None
        assert account.external_id not in client.get(f"{LIST}/{account.pk}").content.decode()
        for verb, address in (
            ("post", LIST),
            ("patch", f"{LIST}/{account.pk}"),
            ("delete", f"{LIST}/{account.pk}"),
            ("get", f"{LIST}/{account.pk}/role-template"),
            ("post", f"{LIST}/{account.pk}/validate"),
        ):
            assert send(client, verb, address, {}).status_code == 403, (verb, address)


def test_a_stranger_finds_no_account_of_ours():
    account = an_account()
    stranger = a_browser(charlie())
    assert stranger.get(LIST).json()["count"] == 0
    for verb, rest in (("get", ""), ("patch", ""), ("delete", ""), ("get", "/role-template"), ("post", "/validate")):
        assert send(stranger, verb, f"{LIST}/{account.pk}{rest}", {}).status_code == 404
    account.refresh_from_db()
    assert account.is_active


def test_a_key_of_the_platform_says_for_whom():
    platform = a_program(None)
    assert send(platform, "post", LIST, SHOP).status_code == 422
    assert send(platform, "post", f"{LIST}?customer_id={southwind().pk}", SHOP).status_code == 201
    assert AwsAccount.objects.get().organization == southwind()


def test_the_list_is_filtered_and_a_longer_one_asks_no_more_questions(django_assert_num_queries):
    an_account(name="prod")
    an_account(name="lab", environment="LAB", is_valid=False)
    client = a_program(northwind())
    for query, names in (
        ("environment=LAB", ["lab"]),
        ("is_valid=true", ["prod"]),
        ("ordering=-name", ["prod", "lab"]),
        ("", ["lab", "prod"]),
    ):
        assert [row["name"] for row in client.get(f"{LIST}?{query}").json()["results"]] == names
    assert "?is_valide" in faults(client.get(f"{LIST}?is_valide=true"))
    with django_assert_num_queries(3):  # the key, the count, the page
        client.get(LIST)


def test_another_role_or_other_regions_must_be_validated_again():
    account = an_account()
    for change in ({"read_role_arn": f"arn:aws:iam::{account.account_id}:role/other"}, {"regions": ["eu-west-1"]}):
        AwsAccount.objects.update(is_valid=True, validated_at=NOW, validation={"problems": []})
        said = send(an_admin(), "patch", f"{LIST}/{account.pk}", change).json()
        assert (said["is_valid"], said["validated_at"], said["validation"]) == (False, None, None)
    AwsAccount.objects.update(is_valid=True)
    assert send(an_admin(), "patch", f"{LIST}/{account.pk}", {"name": "renamed"}).json()["is_valid"]
    assert AuditEntry.objects.filter(deed="account.changed").count() == 3


def test_a_change_that_changes_nothing_is_no_deed():
    account = an_account()
    assert send(an_admin(), "patch", f"{LIST}/{account.pk}", {"name": account.name}).status_code == 200
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    "change, pointer",
    [
        ({"account_id": "999999999999"}, "#/account_id"),
        ({"external_id": "mine"}, "#/external_id"),
        ({"read_role_arn": "arn:aws:iam::999999999999:role/x"}, "#/read_role_arn"),
        ({"read_role_arn": "nonsense"}, "#/read_role_arn"),
        ({"regions": ["nowhere"]}, "#/regions/0"),
    ],
)
def test_what_is_fixed_or_wrong_is_pointed_at(change, pointer):
    account = an_account()
    assert pointer in faults(send(an_admin(), "patch", f"{LIST}/{account.pk}", change))


def test_only_an_owner_says_which_environment_it_is():
    account = an_account()
    assert send(an_admin(), "patch", f"{LIST}/{account.pk}", {"environment": "LAB"}).status_code == 403
    assert send(an_admin(), "post", LIST, SHOP | {"environment": "PROD"}).status_code == 403
    assert send(a_browser(alice()), "patch", f"{LIST}/{account.pk}", {"environment": "LAB"}).status_code == 200
    entry = AuditEntry.objects.get()
    assert (entry.deed, entry.before, entry.after) == (
        "account.environment_changed",
        {"environment": "PROD"},
        {"environment": "LAB"},
    )


def test_an_account_taken_out_of_use_is_kept_and_comes_back():
    account = an_account()
    assert an_admin().delete(f"{LIST}/{account.pk}").json()["is_active"] is False
    assert an_admin().delete(f"{LIST}/{account.pk}").status_code == 200
    refused = send(an_admin(), "post", f"{LIST}/{account.pk}/validate", {})
    assert (refused.status_code, refused.json()["state"]) == (409, "inactive")
    assert send(an_admin(), "patch", f"{LIST}/{account.pk}", {"is_active": True}).json()["is_active"]
    deeds = list(AuditEntry.objects.order_by("pk").values_list("deed", flat=True))
    assert deeds == ["account.deactivated", "account.reactivated"]


@pytest.mark.parametrize("form, beginning", [("cloudformation", "# Lets"), ("terraform", "# Lets")])
def test_the_template_is_handed_out_as_a_file(form, beginning):
    account = an_account()
    answer = an_admin().get(f"{LIST}/{account.pk}/role-template?format={form}&access=read")
    assert answer.status_code == 200
    assert answer.content.decode().startswith(beginning)
    assert account.external_id in answer.content.decode()
    assert "attachment" in answer["Content-Disposition"]


@pytest.mark.parametrize(
    "query, pointer", [("access=act", "?access"), ("access=all", "?access"), ("format=pdf", "?format"), ("x=1", "?x")]
)
def test_a_template_that_is_not_there_is_refused_in_words(query, pointer):
    answer = an_admin().get(f"{LIST}/{an_account().pk}/role-template?{query}")
    assert pointer in faults(answer)
    if query == "access=act":
        assert "nothing that acts yet" in answer.json()["detail"]


def test_an_installation_without_an_account_hands_out_no_template(settings):
    settings.INSTALLATION_ACCOUNT_ID = ""
    answer = an_admin().get(f"{LIST}/{an_account().pk}/role-template")
    assert (answer.status_code, answer.json()["state"]) == (409, "no_installation_account")


def test_a_validation_answers_with_what_was_found(aws, door):  # noqa: F811
    account = an_account(account_id=ACCOUNT, regions=["eu-west-3"], is_valid=False, validated_at=None)
    aws.on("AssumeRole", assumed("key", NOW.replace(year=2099)))  # opens for anybody
    said = send(an_admin(), "post", f"{LIST}/{account.pk}/validate", {}).json()
    assert (said["ok"], said["assumable_without_external_id"]) == (False, True)
    assert "without its ExternalId" in said["problems"][0]
    assert send(an_admin(), "get", f"{LIST}/{account.pk}").json()["validation"] == said
    aws.on("AssumeRole", trusting(account.external_id))


def test_without_an_identity_of_our_own_the_refusal_says_what_to_set(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    session.forget_all()
    answer = send(an_admin(), "post", f"{LIST}/{an_account().pk}/validate", {})
    assert (answer.status_code, answer.json()["state"]) == (409, "no_installation_identity")
    assert "AWS_ACCESS_KEY_ID" in answer.json()["detail"]
