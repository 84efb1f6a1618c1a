"""An account is taken on when its role opens for us, for nobody else, and shows what we need to see."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from accounts.aws import policy
from accounts.aws.errors import NoIdentity
from accounts.aws.limiter import Limiter
from accounts.aws.session import Door
from accounts.aws.validation import validate
from tests.accounts.scripted_aws import (
    ACCOUNT,
    NOW,
    Account,
    Request,
    ScriptedAws,
    assumed,
    ec2_error,
    identity,
    query_error,
    serving,
)

PARIS, VIRGINIA = "eu-west-3", "us-east-1"
ALICE = Account()
AUTOSCALING = "http://autoscaling.amazonaws.com/doc/2011-01-01/"


@pytest.fixture
def aws(monkeypatch):
    scripted = ScriptedAws()
    scripted.on("GetCallerIdentity", identity())
    scripted.on("AssumeRole", trusting(ALICE.external_id))
    for action in policy.read_actions():
        service, _, operation = action.partition(":")
        granted = ec2_error(412, "DryRunOperation") if service == "ec2" else an_empty(operation)
        scripted.on(operation, granted)
    scripted.on("DescribeInstances", lambda request: dry_or(request, one_instance()))
    with serving(scripted) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "installation")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "installation-secret")
        yield scripted


@pytest.fixture
def door(aws):
    return Door(clock=aws.clock, limiter=Limiter(clock=aws.clock.monotonic, sleep=aws.clock.sleep))


def trusting(external_id: str):
    """STS with a role whose trust policy demands this ExternalId."""

    def answer(request: Request):
        if request.params.get("ExternalId") == external_id:
            return assumed("role-key", NOW + timedelta(hours=1))
        return query_error(403, "AccessDenied")

    return answer


def an_empty(operation: str):
    key = operation.removeprefix("Describe")
    body = f"<{operation}Result><{key}/></{operation}Result>"
    return 200, f'<{operation}Response xmlns="{AUTOSCALING}">{body}</{operation}Response>'


def one_instance():
    return 200, (
        '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item>'
        "<instancesSet><item><instanceId>i-real</instanceId></item></instancesSet></item></reservationSet>"
        "</DescribeInstancesResponse>"
    )


def dry_or(request: Request, answer):
    return ec2_error(412, "DryRunOperation") if request.params.get("DryRun") == "true" else answer


def test_a_well_made_account_passes(aws, door):
    found = validate(ALICE, [PARIS, VIRGINIA], door=door)
    assert found.ok, found.problems
    assert (found.account_id_matches, found.assumable, found.assumable_without_external_id) == (True, True, False)
    assert (found.missing, found.unproven, found.region_problems) == ((), (), {})
    assert abs(datetime.now(UTC) - found.checked_at) < timedelta(minutes=1)


def test_the_role_is_tried_without_the_external_id_and_with_a_wrong_one(aws, door):
    validate(ALICE, [PARIS], door=door)
    tried = [asked.params.get("ExternalId") for asked in aws.asked("AssumeRole")]
    assert tried[0] == ALICE.external_id
    assert tried[1] is None
    assert tried[2] not in {None, ALICE.external_id}
    assert len(tried) == 3


@pytest.mark.parametrize("opens_for", [(None, "ours-7f3a"), "anything"])
def test_a_role_that_opens_without_its_external_id_fails_the_account(aws, door, opens_for):
    def careless(request: Request):
        if opens_for == "anything" or request.params.get("ExternalId") in opens_for:
            return assumed("role-key", NOW + timedelta(hours=1))
        return query_error(403, "AccessDenied")

    aws.on("AssumeRole", careless)
    found = validate(ALICE, [PARIS], door=door)
    assert not found.ok
    assert found.assumable_without_external_id is True
    assert any("without its ExternalId" in problem for problem in found.problems)


def test_an_act_role_must_be_closed_too(aws, door):
    actor = replace(ALICE, act_role_arn=f"arn:aws:iam::{ACCOUNT}:role/Act")

    def careless(request: Request):
        if request.params["RoleArn"].endswith("/Act"):
            return assumed("role-key", NOW + timedelta(hours=1))
        return trusting(ALICE.external_id)(request)

    aws.on("AssumeRole", careless)
    assert validate(actor, [PARIS], door=door).assumable_without_external_id is True


def test_what_could_not_be_tried_is_not_taken_for_closed(aws, door, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    def busy(request: Request):
        if request.params.get("ExternalId") == ALICE.external_id:
            return assumed("role-key", NOW + timedelta(hours=1))
        return query_error(500, "InternalFailure")

    aws.on("AssumeRole", busy)
    found = validate(ALICE, [PARIS], door=door)
    assert found.assumable_without_external_id is None
    assert not found.ok


def test_a_role_that_refuses_us_fails_the_account(aws, door):
    aws.on("AssumeRole", query_error(403, "AccessDenied", "not you"))
    found = validate(ALICE, [PARIS], door=door)
    assert not found.ok
    assert (found.assumable, found.account_id_matches, found.assumable_without_external_id) == (False, None, False)
    assert found.region_problems == {PARIS: "AccessDenied: not you"}


def test_a_role_of_another_account_is_not_even_tried(aws, door):
    stolen = replace(ALICE, account_id="999988887777")
    found = validate(stolen, [PARIS], door=door)
    assert not found.ok
    assert found.account_id_matches is False
    assert any("999988887777 is claimed" in problem for problem in found.problems)
    assert aws.asked("AssumeRole") == []


@pytest.mark.parametrize("arn", ["", "nonsense", f"arn:aws:iam::{ACCOUNT}:user/alice"])
def test_what_is_no_role_is_not_tried_either(aws, door, arn):
    assert not validate(replace(ALICE, read_role_arn=arn), [PARIS], door=door).ok
    assert aws.asked("AssumeRole") == []


def test_an_account_that_aws_calls_otherwise_fails(aws, door):
    aws.on("GetCallerIdentity", identity("999988887777"))
    found = validate(ALICE, [PARIS], door=door)
    assert found.account_id_matches is False
    assert not found.ok


def test_each_missing_permission_is_named(aws, door):
    aws.on("DescribeVolumes", ec2_error(403, "UnauthorizedOperation"))
    aws.on("DescribeAutoScalingGroups", query_error(403, "AccessDenied"))
    found = validate(ALICE, [PARIS], door=door)
    assert found.missing == ("autoscaling:DescribeAutoScalingGroups", "ec2:DescribeVolumes")
    assert not found.ok


def test_what_aws_answers_neither_way_is_shown_and_does_not_fail_the_account(aws, door):
    aws.on("DescribeInstanceAttribute", ec2_error(400, "InvalidInstanceID.NotFound"))
    aws.on("DescribeLifecycleHooks", query_error(400, "ValidationError"))
    found = validate(ALICE, [PARIS], door=door)
    assert found.unproven == ("autoscaling:DescribeLifecycleHooks", "ec2:DescribeInstanceAttribute")
    assert found.ok


def test_a_permission_on_instances_is_tried_on_a_real_one(aws, door):
    validate(ALICE, [PARIS], door=door)
    assert {asked.params["InstanceId"] for asked in aws.asked("DescribeInstanceAttribute")} == {"i-real"}


def test_ec2_is_only_asked_dry(aws, door):
    validate(ALICE, [PARIS], door=door)
    wet = {
        asked.action
        for asked in aws.requests
        if f"ec2:{asked.action}" in policy.read_actions() and asked.params.get("DryRun") != "true"
    }
    assert wet == {"DescribeInstances"}  # once, for a real id


def test_a_region_that_is_off_is_told_and_the_others_count(aws, door):
    def virginia_is_off(request: Request):
        if f"/{VIRGINIA}/" in request.host:
            return query_error(403, "RegionDisabledException", "off")
        return trusting(ALICE.external_id)(request)

    aws.on("AssumeRole", virginia_is_off)
    found = validate(ALICE, [PARIS, VIRGINIA], door=door)
    assert found.ok
    assert found.region_problems == {VIRGINIA: "RegionDisabledException: off"}


def test_validation_needs_a_region_and_an_identity_of_our_own(aws, door, monkeypatch):
    with pytest.raises(ValueError, match="region"):
        validate(ALICE, [], door=door)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(NoIdentity):
        validate(ALICE, [PARIS], door=Door())


def test_a_validated_account_is_looked_at_afresh(aws, door):
    door.session_for(ALICE, PARIS)
    aws.on("AssumeRole", query_error(403, "AccessDenied"))
    assert validate(ALICE, [PARIS], door=door).assumable is False
