"""The calls that change a cloud: one resource each, tagged, with a token, never repeated here, never by a reader."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from accounts.aws.client import Access
from accounts.aws.errors import CapacityUnavailable, Denied, OutcomeUnknown, Throttled, Unusable
from accounts.aws.write import balancers, ec2
from tests.accounts.scripted_aws import Account, ScriptedAws, a_session, ec2_error, serving

TOKEN = "t" * 64


def a_launch(**fields: Any) -> dict[str, Any]:
    tags = [{"Key": "ManagedBy", "Value": "SpotOptimizer"}]
    return {
        "ImageId": "ami-1",
        "InstanceType": "m5.large",
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}},
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ec2.TAGGED],
    } | fields


def an_image(**fields: Any) -> dict[str, Any]:
    specifications: list[dict[str, Any]] = [{"ResourceType": kind, "Tags": []} for kind in ("image", "snapshot")]
    return {"InstanceId": "i-1", "Name": "spotopt-1", "NoReboot": True, "TagSpecifications": specifications} | fields


@pytest.fixture
def session():
    return a_session(access=Access.ACT)


@contextmanager
def stubbed(session, operation, answer, expected, service="ec2"):
    with Stubber(session.client(service)) as stubber:
        stubber.add_response(operation, answer, expected)
        yield
        stubber.assert_no_pending_responses()


def test_a_launch_sends_its_request_and_its_token(session):
    answer = {"Instances": [{"InstanceId": "i-9"}]}
    with stubbed(session, "run_instances", answer, {**a_launch(), "ClientToken": TOKEN}):
        assert ec2.launch_spot(session, a_launch(), token=TOKEN) == "i-9"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"MaxCount": 2}, "starts one instance"),
        ({"InstanceMarketOptions": {}}, "Spot, one-time"),
        (
            {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "persistent"}}},
            "one-time",
        ),
        (
            {
                "InstanceMarketOptions": {
                    "MarketType": "spot",
                    "SpotOptions": {"SpotInstanceType": "one-time", "MaxPrice": "0.01"},
                }
            },
            "without a price limit",
        ),
        ({"TagSpecifications": a_launch()["TagSpecifications"][1:]}, "missing: instance"),
        ({"TagSpecifications": []}, "tags all it makes"),
        ({"ClientToken": "mine"}, "token of its own"),
    ],
)
def test_a_launch_that_could_leak_or_double_is_never_sent(session, fields, why):
    with pytest.raises(ValueError, match=why):
        ec2.launch_spot(session, a_launch(**fields), token=TOKEN)


@pytest.mark.parametrize("token", ["", "t" * 65, "ü"])
def test_a_launch_needs_a_token_that_ec2_takes(session, token):
    with pytest.raises(ValueError, match="64 ASCII"):
        ec2.launch_spot(session, a_launch(), token=token)


def test_an_image_is_made_without_restarting_the_machine_and_with_tags(session):
    with stubbed(session, "create_image", {"ImageId": "ami-9"}, an_image()):
        assert ec2.create_image(session, an_image()) == "ami-9"
    for fields in ({"NoReboot": False}, {"TagSpecifications": []}, {"Name": ""}):
        with pytest.raises(ValueError, match=r"NoReboot|tagged|named"):
            ec2.create_image(session, an_image(**fields))


def test_one_instance_is_ended_by_its_id(session):
    with stubbed(session, "terminate_instances", {}, {"InstanceIds": ["i-1"]}):
        ec2.terminate(session, "i-1")


def test_an_image_takes_its_snapshots_along(session):
    with stubbed(session, "deregister_image", {}, {"ImageId": "ami-1", "DeleteAssociatedSnapshots": True}):
        ec2.deregister_image(session, "ami-1")


def test_an_address_is_never_taken_from_anybody(session):
    expected = {"AllocationId": "eipalloc-1", "InstanceId": "i-1", "AllowReassociation": False}
    with stubbed(session, "associate_address", {"AssociationId": "eipassoc-1"}, expected):
        assert ec2.associate_address(session, "eipalloc-1", "i-1") == "eipassoc-1"


def test_a_target_is_registered_and_taken_out_with_its_port(session):
    expected = {"TargetGroupArn": "arn:group", "Targets": [{"Id": "i-1", "Port": 80}]}
    with stubbed(session, "register_targets", {}, expected, "elbv2"):
        balancers.register_target(session, "arn:group", "i-1", 80)
    with stubbed(session, "deregister_targets", {}, expected, "elbv2"):
        balancers.deregister_target(session, "arn:group", "i-1", 80)


@pytest.mark.parametrize(
    "call",
    [
        lambda session: ec2.terminate(session, ""),
        lambda session: ec2.deregister_image(session, ""),
        lambda session: ec2.cancel_spot_request(session, ""),
        lambda session: ec2.disassociate_address(session, ""),
        lambda session: ec2.associate_address(session, "", "i-1"),
        lambda session: ec2.associate_address(session, "eipalloc-1", ""),
        lambda session: balancers.register_target(session, "", "i-1", 80),
        lambda session: balancers.deregister_target(session, "arn:group", "", 80),
    ],
)
def test_nothing_named_is_never_taken_for_all(session, call):
    with pytest.raises(ValueError, match=r"nothing is named|one instance are needed"):
        call(session)


CHANGES = [
    lambda session: ec2.launch_spot(session, a_launch(), token=TOKEN),
    lambda session: ec2.create_image(session, an_image()),
    lambda session: ec2.terminate(session, "i-1"),
    lambda session: ec2.deregister_image(session, "ami-1"),
    lambda session: ec2.cancel_spot_request(session, "sir-1"),
    lambda session: ec2.associate_address(session, "eipalloc-1", "i-1"),
    lambda session: ec2.disassociate_address(session, "eipassoc-1"),
    lambda session: ec2.may(session, "TerminateInstances", {"InstanceIds": ["i-1"]}),
    lambda session: balancers.register_target(session, "arn:group", "i-1", 80),
    lambda session: balancers.deregister_target(session, "arn:group", "i-1", 80),
]


@pytest.mark.parametrize("call", CHANGES)
def test_a_session_that_reads_changes_nothing(call):
    with pytest.raises(ValueError, match="may only read"):
        call(a_session())


def test_every_change_is_tried_above():
    """A new verb that nobody tests with a reading session fails here."""
    verbs = [
        name
        for module in (ec2, balancers)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]
    assert len(verbs) == len(CHANGES)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "InsufficientInstanceCapacity", CapacityUnavailable),
        (503, "RequestLimitExceeded", Throttled),
        (403, "UnauthorizedOperation", Denied),
        (503, "Unavailable", OutcomeUnknown),
    ],
)
def test_a_change_is_sent_once_whatever_comes_back(monkeypatch, status, code, kind):
    aws = ScriptedAws()
    aws.on("TerminateInstances", ec2_error(status, code))
    with serving(aws) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(kind):
            ec2.terminate(a_session(access=Access.ACT), "i-1")
    assert len(aws.asked("TerminateInstances")) == 1


def test_a_dry_run_says_whether_the_call_would_be_taken(session):
    request = {"InstanceIds": ["i-1"]}
    for code, answer in (("DryRunOperation", None), ("UnauthorizedOperation", Denied)):
        with Stubber(session.client("ec2")) as stubber:
            stubber.add_client_error("terminate_instances", code, expected_params={**request, "DryRun": True})
            found = ec2.may(session, "TerminateInstances", request)
            assert found is None if answer is None else isinstance(found, answer)
    with stubbed(session, "terminate_instances", {}, {**request, "DryRun": True}), pytest.raises(Unusable):
        ec2.may(session, "TerminateInstances", request)


def test_no_file_outside_the_actuator_names_the_adapters_that_write():
    """The import contract holds this too; here it is shown to have something to hold."""
    root = Path(__file__).parents[2]
    users = {
        path.relative_to(root).as_posix()
        for app in ("accounts", "instances", "mlregistry", "governance", "pipelines", "spotopt")
        for path in (root / app).rglob("*.py")
        if "accounts.aws.write" in path.read_text()
    }
    assert users == {"pipelines/actuator/hands.py", "accounts/aws/policy.py"}
    assert Account().act_role_arn == ""
