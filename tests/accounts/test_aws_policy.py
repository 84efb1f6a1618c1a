"""What we ask for is what the adapters call, and nothing that changes anything."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from accounts.aws import policy, read, write

ADAPTERS = ("advisor", "autoscaling", "balancers", "ec2", "looks", "pricing")
CHANGES = ("balancers", "ec2")
SERVICES = {"elasticloadbalancing": "elbv2"}  # botocore's name where IAM has another


def actions_of(document) -> set[str]:
    return {action for statement in document["Statement"] for action in statement["Action"]}


def test_every_adapter_says_what_it_needs_and_its_code_calls_exactly_that():
    core = botocore.session.get_session()
    for name in ADAPTERS:
        module = importlib.import_module(f"accounts.aws.read.{name}")
        source = Path(module.__file__).read_text()
        called = set(
            re.findall(r'translated_errors\("(\w+)"\)|pages\([^)]*?"([A-Z]\w+)"|_of_vpcs\(session, "(\w+)"', source)
        )
        declared = {action.partition(":")[2] for action in module.ACTIONS}
        assert {each for groups in called for each in groups if each} == declared, name
        for action in module.ACTIONS:
            service, _, operation = action.partition(":")
            model = core.get_service_model(SERVICES.get(service, service))
            assert operation in model.operation_names, f"{action} ({xform_name(operation)})"


def test_every_change_is_declared_and_its_code_calls_exactly_that():
    for name in CHANGES:
        module = importlib.import_module(f"accounts.aws.write.{name}")
        called = set(re.findall(r'translated_errors\("(\w+)"\)', Path(module.__file__).read_text()))
        assert called == {action.partition(":")[2] for action in module.ACTIONS}, name
        assert set(module.ACTIONS) <= set(policy.act_actions())
    assert {module.name for module in pkgutil.iter_modules(write.__path__)} == set(CHANGES)


def test_the_act_role_ends_only_what_is_ours_or_was_given_to_us():
    statements = policy.act_policy()["Statement"]
    ending = [each for each in statements if {"ec2:TerminateInstances", "ec2:DeregisterImage"} & set(each["Action"])]
    assert [each["Condition"]["StringEquals"] for each in ending] == [
        {"aws:ResourceTag/ManagedBy": "SpotOptimizer"},
        {"aws:ResourceTag/spotopt:may": "replace"},
    ]
    passing = [each for each in statements if "iam:PassRole" in each["Action"]]
    assert [each["Condition"] for each in passing] == [{"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}]
    granted = {action for each in statements for action in each["Action"]}
    assert granted == set(policy.act_actions())


def test_no_adapter_is_left_out():
    with_actions = {
        module.name
        for module in pkgutil.iter_modules(read.__path__)
        if hasattr(importlib.import_module(f"accounts.aws.read.{module.name}"), "ACTIONS")
    }
    assert with_actions == set(ADAPTERS)
    declared = {action for name in ADAPTERS for action in importlib.import_module(f"accounts.aws.read.{name}").ACTIONS}
    assert declared == {*policy.read_actions(), *policy.market_actions()}


def test_the_read_policy_only_reads():
    actions = actions_of(policy.read_policy())
    assert "ec2:DescribeInstances" in actions
    assert all(re.fullmatch(r"\w+:(Describe|Get|List)\w+", action) for action in actions)


def test_a_tenants_role_is_not_asked_for_the_market():
    assert not {"ec2:DescribeSpotPriceHistory", "pricing:GetProducts"} & actions_of(policy.read_policy())
    assert {"ec2:DescribeSpotPriceHistory", "pricing:GetProducts"} <= actions_of(policy.installation_policy())


def test_the_session_policy_allows_all_that_the_read_role_grants_and_fits():
    text = policy.read_session_policy()
    assert len(text) <= 2048
    patterns = [action.rstrip("*") for action in actions_of(json.loads(text))]
    for action in policy.read_actions():
        assert any(action.startswith(pattern) for pattern in patterns), action
    assert not any("ec2:RunInstances".startswith(pattern) for pattern in patterns)


def test_a_change_among_the_read_actions_is_an_error(monkeypatch):
    monkeypatch.setattr(policy.ec2, "FLEET_ACTIONS", (*policy.ec2.FLEET_ACTIONS, "ec2:RunInstances"))
    with pytest.raises(ValueError, match="ec2:RunInstances is not a read"):
        policy.read_session_policy()


def test_the_trust_policy_opens_for_us_and_only_with_the_external_id():
    (statement,) = policy.trust_policy("999988887777", "ours-7f3a")["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::999988887777:root"}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "ours-7f3a"}}
    assert statement["Action"] == "sts:AssumeRole"
