"""Is IAM's evaluation logic followed?"""

from __future__ import annotations

import pytest

from spotopt.local.permissions import Verdict, judge, trusts


def a_statement(effect: str = "Allow", action: object = "ec2:Describe*", **more: object) -> dict[str, object]:
    return {"Effect": effect, "Action": action, "Resource": "*"} | more


def verdict(*statements: dict[str, object], action: str = "ec2:DescribeInstances", **context: str) -> Verdict:
    return judge([{"Statement": list(statements)}], action, context)


def test_nothing_is_granted_by_default():
    """IAM user guide, "Policy evaluation logic": implicit deny."""
    assert verdict() is Verdict.NOT_GRANTED
    assert verdict(a_statement(action="s3:*")) is Verdict.NOT_GRANTED


@pytest.mark.parametrize("pattern", ["ec2:DescribeInstances", "ec2:Describe*", "EC2:describe*", "*", "ec2:?escribe*"])
def test_actions_match_with_wildcards_and_without_case(pattern):
    """IAM reference, "JSON policy elements: Action"."""
    assert verdict(a_statement(action=[pattern])) is Verdict.ALLOWED


def test_an_explicit_deny_wins_wherever_it_stands():
    """IAM user guide, "Policy evaluation logic": explicit deny overrides."""
    deny = a_statement("Deny", "ec2:DescribeInstances")
    assert verdict(a_statement(), deny) is Verdict.DENIED
    assert verdict(deny, a_statement()) is Verdict.DENIED


def test_not_action_means_all_others():
    """IAM reference, "JSON policy elements: NotAction"."""
    statement = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    assert verdict(statement) is Verdict.ALLOWED
    assert verdict(statement, action="iam:ListRoles") is Verdict.NOT_GRANTED


def test_a_condition_on_a_key_that_the_request_lacks_does_not_hold():
    """IAM reference, "Condition operators": a missing key makes StringEquals false, …IfExists true."""
    equals = a_statement(Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-3"}})
    if_exists = a_statement(Condition={"StringEqualsIfExists": {"aws:RequestedRegion": "eu-west-3"}})
    assert verdict(equals) is Verdict.NOT_GRANTED
    assert verdict(if_exists) is Verdict.ALLOWED
    assert judge([{"Statement": [equals]}], "ec2:DescribeX", {"aws:RequestedRegion": "eu-west-3"}) is Verdict.ALLOWED
    assert judge([{"Statement": [if_exists]}], "ec2:DescribeX", {"aws:RequestedRegion": "us-east-1"}) is (
        Verdict.NOT_GRANTED
    )


def test_a_trust_policy_may_name_the_account_by_number_or_by_root():
    """IAM reference, "JSON policy elements: Principal"."""
    arn = "arn:aws:iam::000000000001:user/spotopt"
    for named in ("000000000001", "arn:aws:iam::000000000001:root", arn, ["x", "000000000001"]):
        trust = {"Statement": {"Effect": "Allow", "Principal": {"AWS": named}, "Action": "sts:AssumeRole"}}
        assert trusts(trust, "000000000001", arn, {})
    other = {"Statement": {"Effect": "Allow", "Principal": {"AWS": "000000000002"}, "Action": "sts:AssumeRole"}}
    assert not trusts(other, "000000000001", arn, {})
    service = {"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:*"}}
    assert not trusts(service, "000000000001", arn, {})
