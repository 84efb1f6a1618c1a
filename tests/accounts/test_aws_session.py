"""The door: who gets in, with which credentials, for how long, and how often it may ask."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from accounts.aws.errors import (
    AwsError,
    CredentialsExpired,
    Denied,
    EndlessPages,
    NoIdentity,
    OutcomeUnknown,
    RegionNotEnabled,
    Throttled,
)
from accounts.aws.limiter import Limiter
from accounts.aws.read import ec2
from accounts.aws.session import Access, Door, assume_without_external_id, caller_identity
from tests.accounts.scripted_aws import (
    NOW,
    Account,
    ScriptedAws,
    assumed,
    ec2_error,
    identity,
    price_page,
    query_error,
    serving,
)

PARIS = "eu-west-3"
ALICE, CHARLIE = Account(), Account(organization_id=2, external_id="his-91bc")


@pytest.fixture
def aws(monkeypatch):
    scripted = ScriptedAws()
    scripted.on("GetCallerIdentity", identity())
    with serving(scripted) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "installation")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "installation-secret")
        yield scripted


@pytest.fixture
def door(aws):
    return Door(clock=aws.clock, limiter=Limiter(clock=aws.clock.monotonic, sleep=aws.clock.sleep))


def changes(session, start=NOW - timedelta(hours=1), end=NOW):
    return [change for page in ec2.spot_price_pages(session, start, end) for change in page.changes]


def test_a_role_is_assumed_with_its_external_id_for_an_hour_under_the_runs_name(aws, door):
    door.session_for(ALICE, PARIS, run="scan 42/é")
    (asked,) = aws.asked("AssumeRole")
    assert asked.params["RoleArn"] == ALICE.read_role_arn
    assert asked.params["ExternalId"] == ALICE.external_id
    assert asked.params["DurationSeconds"] == "3600"
    assert asked.params["RoleSessionName"] == "spotopt-scan-42--"
    assert f"/{PARIS}/sts/" in asked.host  # signed for the region's own STS
    assert asked.access_key == "installation"


def test_a_read_session_may_read_only(aws, door):
    door.session_for(ALICE, PARIS)
    policy = aws.asked("AssumeRole")[0].params["Policy"]
    assert len(policy) <= 2048
    (statement,) = json.loads(policy)["Statement"]
    assert statement["Effect"] == "Allow"
    assert {action.partition(":")[2] for action in statement["Action"]} == {"Describe*"}


def test_an_act_session_has_the_other_role_no_session_policy_and_belongs_to_one_run(aws, door):
    actor = replace(ALICE, act_role_arn="arn:aws:iam::111122223333:role/SpotOptimizerAct")
    first = door.session_for(actor, PARIS, Access.ACT, run="op-1")
    assert door.session_for(actor, PARIS, Access.ACT, run="op-1") is first
    assert door.session_for(actor, PARIS, Access.ACT, run="op-2") is not first
    for asked in aws.asked("AssumeRole"):
        assert asked.params["RoleArn"] == actor.act_role_arn
        assert "Policy" not in asked.params


def test_acting_needs_a_run_and_a_role(door):
    with pytest.raises(ValueError, match="run"):
        door.session_for(ALICE, PARIS, Access.ACT)
    with pytest.raises(Denied, match="no role for access act"):
        door.session_for(ALICE, PARIS, Access.ACT, run="op-1")


def test_a_session_is_assumed_once_and_its_clients_are_made_once(aws, door):
    session = door.session_for(ALICE, PARIS)
    assert door.session_for(ALICE, PARIS, run="later") is session
    assert session.client("ec2") is session.client("ec2")
    assert aws.assumed == 1


def test_two_tenants_on_one_account_id_never_share_credentials(aws, door):
    alices, charlies = door.session_for(ALICE, PARIS), door.session_for(CHARLIE, PARIS)
    caller_identity(alices)
    caller_identity(charlies)
    assert [asked.params["ExternalId"] for asked in aws.asked("AssumeRole")] == ["ours-7f3a", "his-91bc"]
    assert [asked.access_key for asked in aws.asked("GetCallerIdentity")] == ["key-1", "key-2"]


@pytest.mark.parametrize(
    "changed",
    [
        {"organization_id": 9},
        {"account_id": "999988887777"},
        {"read_role_arn": "arn:aws:iam::111122223333:role/Other"},
        {"external_id": "rotated"},
    ],
)
def test_any_other_key_is_another_session(door, changed):
    assert door.session_for(ALICE, PARIS) is not door.session_for(replace(ALICE, **changed), PARIS)


def test_forgetting_an_account_leaves_the_others_alone(aws, door):
    alices, charlies = door.session_for(ALICE, PARIS), door.session_for(CHARLIE, PARIS)
    door.forget(ALICE)
    assert door.session_for(CHARLIE, PARIS) is charlies
    assert door.session_for(ALICE, PARIS) is not alices
    assert aws.assumed == 3


def test_many_threads_assume_a_role_once(aws, door):
    threads = [threading.Thread(target=door.session_for, args=(ALICE, PARIS)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert aws.assumed == 1


def test_credentials_are_renewed_five_minutes_before_they_end(aws, door):
    session = door.session_for(ALICE, PARIS)
    aws.clock.sleep(54 * 60)
    caller_identity(session)
    aws.clock.sleep(2 * 60)
    caller_identity(session)
    assert [asked.access_key for asked in aws.asked("GetCallerIdentity")] == ["key-1", "key-2"]


def test_a_renewal_that_fails_is_tried_again_while_two_minutes_are_left(aws, door):
    session = door.session_for(ALICE, PARIS)
    aws.clock.sleep(56 * 60)
    aws.on("AssumeRole", query_error(400, "MalformedPolicyDocument"))
    caller_identity(session)
    assert aws.asked("GetCallerIdentity")[-1].access_key == "key-1"
    aws.clock.sleep(3 * 60)
    with pytest.raises(AwsError, match="MalformedPolicyDocument"):
        caller_identity(session)


def test_a_role_that_was_taken_away_is_denied_at_once(aws, door):
    session = door.session_for(ALICE, PARIS)
    aws.on("AssumeRole", query_error(403, "AccessDenied"))
    aws.clock.sleep(56 * 60)
    with pytest.raises(Denied):
        caller_identity(session)


def test_credentials_that_expire_between_pages_are_renewed_and_the_reading_goes_on(aws, door):
    aws.on(
        "DescribeSpotPriceHistory",
        price_page([("0.03", "2026-03-01T11:30:00.000Z")], next_token="two"),
        ec2_error(400, "RequestExpired"),
        price_page([("0.02", "2026-03-01T11:00:00.000Z")]),
    )
    session = door.session_for(ALICE, PARIS)
    assert [str(change.usd_per_hour) for change in changes(session)] == ["0.03", "0.02"]
    asked = aws.asked("DescribeSpotPriceHistory")
    assert [each.params.get("NextToken") for each in asked] == [None, "two", "two"]
    assert [each.access_key for each in asked] == ["key-1", "key-1", "key-2"]


def test_credentials_that_stay_expired_end_in_an_error_and_not_in_a_loop(aws, door):
    aws.on("DescribeSpotPriceHistory", ec2_error(400, "ExpiredToken"))
    session = door.session_for(ALICE, PARIS)
    with pytest.raises(CredentialsExpired):
        changes(session)
    assert len(aws.asked("DescribeSpotPriceHistory")) == 2


def test_a_change_is_never_repeated(aws, door):
    actor = replace(ALICE, act_role_arn="arn:aws:iam::111122223333:role/SpotOptimizerAct")
    client = door.session_for(actor, PARIS, Access.ACT, run="op-1").client("ec2")
    for answer in (ec2_error(500, "InternalError"), ec2_error(400, "ExpiredToken"), (0, "")):
        aws.requests.clear()
        aws.on("CreateTags", answer)
        with pytest.raises((ClientError, BotoCoreError)):
            client.create_tags(Resources=["i-1"], Tags=[{"Key": "a", "Value": "b"}])
        assert len(aws.asked("CreateTags")) == 1


def test_a_read_is_tried_three_times(aws, door, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # botocore's pauses between attempts
    aws.on("DescribeSpotPriceHistory", ec2_error(500, "InternalError"))
    with pytest.raises(OutcomeUnknown):
        changes(door.session_for(ALICE, PARIS))
    assert len(aws.asked("DescribeSpotPriceHistory")) == 3


def test_a_broken_connection_leaves_the_outcome_unknown(aws, door, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    aws.on("DescribeSpotPriceHistory", (0, ""))
    with pytest.raises(OutcomeUnknown):
        changes(door.session_for(ALICE, PARIS))


def test_throttling_slows_that_api_of_that_account_down(aws, door, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    aws.on("DescribeSpotPriceHistory", ec2_error(503, "RequestLimitExceeded"))
    session = door.session_for(ALICE, PARIS)
    with pytest.raises(Throttled):
        changes(session)
    # Three attempts: after the first refusal the burst is gone and each further attempt waits a whole second.
    assert aws.clock.slept == pytest.approx([1.0, 1.0])
    caller_identity(session)
    assert len(aws.clock.slept) == 2


def test_no_adapter_escapes_the_limit(aws, door):
    """Twelve pages against a burst of ten: the last two wait, before they are signed."""
    pages = [price_page([("0.03", "2026-03-01T11:30:00.000Z")], next_token=str(number)) for number in range(11)]
    aws.on("DescribeSpotPriceHistory", *pages, price_page([]))
    assert len(changes(door.session_for(ALICE, PARIS))) == 11
    assert aws.clock.slept == pytest.approx([0.5, 0.5])


def test_pages_that_lead_in_a_circle_end_in_an_error(aws, door):
    there, back = (price_page([("0.03", "2026-03-01T11:30:00.000Z")], next_token=token) for token in ("a", "b"))
    aws.on("DescribeSpotPriceHistory", there, back, there, back)
    with pytest.raises(EndlessPages):
        changes(door.session_for(ALICE, PARIS))
    assert len(aws.asked("DescribeSpotPriceHistory")) == 3


@pytest.mark.parametrize("status", [200, 502])
def test_a_proxys_page_instead_of_an_answer_leaves_the_outcome_unknown(aws, door, monkeypatch, status):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    aws.on("DescribeSpotPriceHistory", (status, "<!doctype html><title>Bad gateway</title><p>sorry"))
    with pytest.raises(OutcomeUnknown):
        changes(door.session_for(ALICE, PARIS))


@pytest.mark.parametrize("code", ["OptInRequired", "AuthFailure", "UnrecognizedClientException"])
def test_a_region_that_is_not_enabled_says_so(aws, door, code):
    aws.on("DescribeSpotPriceHistory", ec2_error(401, code))
    with pytest.raises(RegionNotEnabled):
        changes(door.session_for(ALICE, PARIS))


def test_a_region_without_sts_is_refused_at_the_door_and_not_cached(aws, door):
    aws.on("AssumeRole", query_error(403, "RegionDisabledException"))
    with pytest.raises(RegionNotEnabled):
        door.session_for(ALICE, PARIS)
    aws.on("AssumeRole", assumed("key-now", NOW + timedelta(hours=1)))
    assert door.session_for(ALICE, PARIS).account_id == ALICE.account_id


def test_without_an_identity_of_our_own_the_error_says_what_to_set(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(NoIdentity, match="AWS_ACCESS_KEY_ID"):
        Door().installation_session(PARIS)
    with pytest.raises(NoIdentity):
        Door().session_for(ALICE, PARIS)


def test_the_market_is_read_with_our_own_identity(aws, door):
    aws.on("DescribeSpotPriceHistory", price_page([("0.03", "2026-03-01T11:30:00.000Z")]))
    changes(door.installation_session(PARIS))
    assert aws.asked("DescribeSpotPriceHistory")[0].access_key == "installation"
    assert aws.assumed == 0


def test_trying_a_role_without_its_external_id_could_do_nothing_with_it(aws, door):
    assume_without_external_id(ALICE, PARIS, door=door)
    (asked,) = aws.asked("AssumeRole")
    assert "ExternalId" not in asked.params
    assert json.loads(asked.params["Policy"])["Statement"] == [{"Effect": "Deny", "Action": "*", "Resource": "*"}]


def test_neither_secrets_nor_the_external_id_reach_a_log_or_a_repr(aws, door, caplog):
    caplog.set_level(logging.DEBUG)
    aws.on("DescribeSpotPriceHistory", ec2_error(400, "ExpiredToken"))
    session = door.session_for(ALICE, PARIS)
    with pytest.raises(CredentialsExpired):
        changes(session)
    written = caplog.text + repr(session) + repr(vars(session))
    for secret in (ALICE.external_id, "secret-canary", "token-canary", "installation-secret"):
        assert secret not in written


def test_at_most_256_sessions_are_kept(aws, door, monkeypatch):
    monkeypatch.setattr("accounts.aws.session.MOST_SESSIONS", 2)
    first = door.session_for(ALICE, PARIS)
    door.session_for(ALICE, "eu-west-1")
    assert door.session_for(ALICE, PARIS) is first  # used again, so the other one is the oldest
    door.session_for(ALICE, "us-east-1")
    assert door.session_for(ALICE, PARIS) is first
    door.session_for(ALICE, "eu-west-1")
    assert aws.assumed == 4
