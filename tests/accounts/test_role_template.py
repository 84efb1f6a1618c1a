"""Does what a customer deploys open for us alone, and for exactly what we call?"""

import json
import re

import pytest
import yaml
from django.utils import timezone

from accounts import onboarding, proof
from accounts.aws import policy, session
from accounts.role_template import NoInstallation, TemplateFormat, expected_role_arn, role_template
from spotopt.local.estate import INSTALLATION
from tests.factories import an_account
from tests.fakes.cloud import NORTHWIND

pytestmark = pytest.mark.django_db


class CloudFormation(yaml.SafeLoader):
    """YAML with CloudFormation's own words."""


CloudFormation.add_constructor("!GetAtt", lambda loader, node: {"Fn::GetAtt": node.value})


@pytest.fixture(autouse=True)
def installation(settings):
    settings.INSTALLATION_ACCOUNT_ID = INSTALLATION.account_id


@pytest.fixture
def cloud(local_cloud, monkeypatch):
    """The local cloud, entered with the installation's own identity."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_cloud.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", INSTALLATION.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", INSTALLATION.secret_key)
    session.forget_all()
    yield local_cloud
    session.forget_all()


def a_new_account(**fields):
    fresh = {"account_id": NORTHWIND.account_id, "read_role_arn": "", "is_valid": False, "validated_at": None}
    return an_account(**fresh | {"regions": ["eu-west-3"]} | fields)


def role_of(account) -> dict:
    text = role_template(account, TemplateFormat.CLOUDFORMATION)
    return yaml.load(text, CloudFormation)["Resources"]["Role"]["Properties"]


def deployed(cloud, account, **changes):
    """What CloudFormation does with the template, in the customer's account."""
    role = role_of(account) | changes
    iam = cloud.root(NORTHWIND, "iam", "us-east-1")
    trust = json.dumps(role["AssumeRolePolicyDocument"])
    made = iam.create_role(RoleName=role["RoleName"], AssumeRolePolicyDocument=trust)["Role"]
    for inline in role["Policies"]:
        iam.put_role_policy(
            RoleName=role["RoleName"],
            PolicyName=inline["PolicyName"],
            PolicyDocument=json.dumps(inline["PolicyDocument"]),
        )
    account.read_role_arn = made["Arn"]
    account.save()
    return account


def test_the_cloudformation_template_grants_what_the_adapters_call_and_trusts_us_with_the_external_id():
    account = a_new_account()
    role = role_of(account)
    assert role["AssumeRolePolicyDocument"] == policy.trust_policy(INSTALLATION.account_id, account.external_id)
    assert role["Policies"] == [{"PolicyName": "spotopt-read", "PolicyDocument": policy.read_policy()}]
    assert role["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"] == list(policy.read_actions())


def test_the_terraform_template_says_the_same():
    account = a_new_account()
    text = role_template(account, TemplateFormat.TERRAFORM)
    trust, grants = (json.loads(part) for part in re.findall(r"jsonencode\((.*?)\n?\)\n", text, re.DOTALL))
    assert trust == policy.trust_policy(INSTALLATION.account_id, account.external_id)
    assert grants == policy.read_policy()
    assert text.count("{") == text.count("}")
    assert "${" not in text


@pytest.mark.parametrize("form", TemplateFormat)
def test_the_same_account_gets_the_same_text_and_another_account_another(form):
    one, other = a_new_account(), a_new_account(account_id="999988887777")
    assert role_template(one, form) == role_template(one, form)
    assert one.external_id not in role_template(other, form)


@pytest.mark.parametrize("form", TemplateFormat)
def test_an_installation_that_does_not_know_its_account_makes_no_template(form, settings):
    settings.INSTALLATION_ACCOUNT_ID = ""
    with pytest.raises(NoInstallation, match="INSTALLATION_ACCOUNT_ID"):
        role_template(a_new_account(), form)


def test_an_account_that_deploys_the_template_is_valid(cloud):
    account = deployed(cloud, a_new_account())
    assert account.read_role_arn == expected_role_arn(account)
    found = onboarding.validate(account, by="test", now=timezone.now(), seconds=25)
    assert found.ok, found.problems
    assert {check.outcome for check in proof.checks(account.validation)} == {proof.Outcome.PASS}


def test_a_permission_that_was_taken_out_is_named(cloud):
    account = a_new_account()
    grants = policy.read_policy()
    grants["Statement"][0]["Action"].remove("ec2:DescribeVolumes")
    deployed(cloud, account, Policies=[{"PolicyName": "cut", "PolicyDocument": grants}])
    found = onboarding.validate(account, by="test", now=timezone.now(), seconds=25)
    assert found.missing == ("ec2:DescribeVolumes",)
    (failed,) = [check for check in proof.checks(account.validation) if check.outcome is proof.Outcome.FAIL]
    assert failed.named == ("ec2:DescribeVolumes",)
    assert failed.remedy


def test_a_role_that_opens_without_the_external_id_is_refused_with_the_reason(cloud):
    account = a_new_account()
    trust = policy.trust_policy(INSTALLATION.account_id, account.external_id)
    del trust["Statement"][0]["Condition"]
    deployed(cloud, account, AssumeRolePolicyDocument=trust)
    assert not onboarding.validate(account, by="test", now=timezone.now(), seconds=25).ok
    assert not account.is_valid
    (failed,) = [check for check in proof.checks(account.validation) if check.outcome is proof.Outcome.FAIL]
    assert "opens for anybody" in failed.said
    assert "must demand the ExternalId" in failed.remedy
