"""Is the local cloud as strict as AWS about who calls and what they may do?"""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from spotopt.local.estate import ACCOUNTS, INSTALLATION
from tests.fakes.cloud import CONTOSO, NORTHWIND, LocalCloud, client


def code_of(call, *args, **params) -> str:
    """The error code that a call ends with."""
    with pytest.raises(ClientError) as refused:
        call(*args, **params)
    return refused.value.response["Error"]["Code"]


def status_of(call, *args, **params) -> int:
    with pytest.raises(ClientError) as refused:
        call(*args, **params)
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"]


def assume(cloud: LocalCloud, arn: str, **params):
    return cloud.installation("sts").assume_role(RoleArn=arn, RoleSessionName="test", **params)


def test_a_role_is_assumed_with_its_own_external_id_only(local_cloud):
    """IAM user guide, "Access to AWS accounts owned by third parties": the ExternalId must be the agreed one."""
    arn = local_cloud.deploy_role(NORTHWIND, "agreed", "ec2:Describe*")
    assert assume(local_cloud, arn, ExternalId="agreed")["Credentials"]["AccessKeyId"].startswith("ASIA")
    assert code_of(assume, local_cloud, arn, ExternalId="another") == "AccessDenied"
    assert code_of(assume, local_cloud, arn) == "AccessDenied"
    assert status_of(assume, local_cloud, arn) == 403


def test_a_carelessly_deployed_role_lets_us_in_without_external_id(local_cloud):
    """Same page, "confused deputy": a trust policy without the condition trusts every customer of ours."""
    arn = local_cloud.deploy_role(NORTHWIND, "agreed", "ec2:Describe*", trust_external_id=False)
    assert assume(local_cloud, arn)["Credentials"]


def test_a_role_that_does_not_exist_is_denied_not_missing(local_cloud):
    """STS reference, AssumeRole: the caller cannot tell a role that is not there from one that distrusts him."""
    assert code_of(assume, local_cloud, NORTHWIND.role_arn, ExternalId="agreed") == "AccessDenied"


def test_a_stranger_is_not_trusted_even_with_the_external_id(local_cloud):
    """IAM user guide, "AWS JSON policy elements: Principal": the trust names our account, nobody else's."""
    arn = local_cloud.deploy_role(NORTHWIND, "agreed", "ec2:Describe*")
    sts = local_cloud.root(CONTOSO, "sts")
    assert code_of(sts.assume_role, RoleArn=arn, RoleSessionName="test", ExternalId="agreed") == "AccessDenied"


def test_the_caller_is_told_who_he_is_even_without_any_permission(local_cloud):
    """STS reference, GetCallerIdentity: "No permissions are required to perform this operation"."""
    arn = local_cloud.deploy_role(NORTHWIND, "agreed", "s3:Nothing")
    identity = local_cloud.assumed(arn, "agreed", "sts").get_caller_identity()
    assert identity["Account"] == NORTHWIND.account_id
    assert identity["Arn"] == f"arn:aws:sts::{NORTHWIND.account_id}:assumed-role/{NORTHWIND.role_name}/test"
    assert identity["UserId"].endswith(":test")
    assert local_cloud.installation("sts").get_caller_identity()["Account"] == INSTALLATION.account_id


def test_a_role_does_what_its_policy_grants_and_nothing_else(local_cloud):
    """IAM user guide, "Policy evaluation logic"; EC2 "Error codes": UnauthorizedOperation."""
    arn = local_cloud.deploy_role(NORTHWIND, "agreed", "ec2:DescribeRegions")
    ec2 = local_cloud.assumed(arn, "agreed", "ec2")
    assert ec2.describe_regions()["Regions"]
    assert code_of(ec2.describe_instances) == "UnauthorizedOperation"
    groups = local_cloud.assumed(arn, "agreed", "autoscaling")
    assert code_of(groups.describe_auto_scaling_groups) == "AccessDenied"
    prices = local_cloud.assumed(arn, "agreed", "pricing")
    assert code_of(prices.get_products, ServiceCode="AmazonEC2") == "AccessDeniedException"


def test_a_narrowed_role_is_narrow_at_once_for_sessions_that_are_open(local_cloud):
    """IAM user guide, "Modify a role": changed permissions hold for sessions issued before."""
    arn = local_cloud.deploy_role(NORTHWIND, "agreed", "ec2:Describe*")
    ec2 = local_cloud.assumed(arn, "agreed", "ec2")
    assert ec2.describe_instances()["Reservations"]
    local_cloud.deploy_role(NORTHWIND, "agreed", "ec2:DescribeRegions")
    assert code_of(ec2.describe_instances) == "UnauthorizedOperation"


def test_a_session_policy_only_takes_away(local_cloud):
    """STS reference, AssumeRole, Policy: permissions are the intersection of role and session policy."""
    arn = local_cloud.deploy_role(NORTHWIND, "agreed", "ec2:Describe*", "ec2:TerminateInstances")
    reading = {"Statement": [{"Effect": "Allow", "Action": ["ec2:Describe*", "iam:*"], "Resource": "*"}]}
    ec2 = local_cloud.assumed(arn, "agreed", "ec2", Policy=json.dumps(reading))
    instance_id = ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    assert code_of(ec2.terminate_instances, InstanceIds=[instance_id]) == "UnauthorizedOperation"
    iam = local_cloud.assumed(arn, "agreed", "iam", Policy=json.dumps(reading))
    assert code_of(iam.list_roles) == "AccessDenied"


def test_a_session_policy_over_2048_characters_is_refused(local_cloud):
    """STS reference, AssumeRole, Policy: length constraint."""
    arn = local_cloud.deploy_role(NORTHWIND, "agreed", "ec2:Describe*")
    long = json.dumps({"Statement": [{"Effect": "Allow", "Action": ["ec2:" + "x" * 2100], "Resource": "*"}]})
    assert code_of(assume, local_cloud, arn, ExternalId="agreed", Policy=long) == "ValidationError"
    assert code_of(assume, local_cloud, arn, ExternalId="agreed", Policy="{") == "MalformedPolicyDocument"


def test_a_session_longer_than_the_role_allows_is_refused(local_cloud):
    """STS reference, AssumeRole, DurationSeconds: at most the role's own maximum, one hour unless set."""
    arn = local_cloud.deploy_role(NORTHWIND, "agreed", "ec2:Describe*")
    assert code_of(assume, local_cloud, arn, ExternalId="agreed", DurationSeconds=3601) == "ValidationError"
    assert assume(local_cloud, arn, ExternalId="agreed", DurationSeconds=3600)["Credentials"]


def test_a_dry_run_says_what_the_real_call_would_be_told(local_cloud):
    """EC2 reference, "Common query parameters", DryRun: DryRunOperation, or UnauthorizedOperation."""
    arn = local_cloud.deploy_role(NORTHWIND, "agreed", "ec2:Describe*", "ec2:StopInstances")
    ec2 = local_cloud.assumed(arn, "agreed", "ec2")
    instance_id = ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    assert code_of(ec2.stop_instances, InstanceIds=[instance_id], DryRun=True) == "DryRunOperation"
    assert code_of(ec2.terminate_instances, InstanceIds=[instance_id], DryRun=True) == "UnauthorizedOperation"
    state = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]["State"]["Name"]
    assert state == "running"


def test_sessions_can_be_ended_and_then_say_expired(local_cloud):
    """EC2 "Error codes": RequestExpired; STS and Auto Scaling "Common errors": ExpiredToken."""
    arn = local_cloud.deploy_role(NORTHWIND, "agreed", "ec2:Describe*", "autoscaling:Describe*")
    ec2 = local_cloud.assumed(arn, "agreed", "ec2")
    groups = local_cloud.assumed(arn, "agreed", "autoscaling")
    local_cloud.control("expire-credentials")
    assert code_of(ec2.describe_instances) == "RequestExpired"
    assert code_of(groups.describe_auto_scaling_groups) == "ExpiredToken"
    assert local_cloud.assumed(arn, "agreed", "ec2").describe_instances()["Reservations"]


def test_unknown_and_forged_keys_are_not_believed(local_cloud):
    """EC2 "Error codes": AuthFailure; STS "Common errors": InvalidClientTokenId."""
    endpoint = local_cloud.endpoint
    assert code_of(client(endpoint, "AKIANOBODY", "x", None, "ec2", "eu-west-3").describe_regions) == "AuthFailure"
    stranger = client(endpoint, "AKIANOBODY", "x", None, "sts", "eu-west-3")
    assert code_of(stranger.get_caller_identity) == "InvalidClientTokenId"
    forged = client(endpoint, "ASIAFORGED", "x", "e30=.0000", "ec2", "eu-west-3")
    assert code_of(forged.describe_regions) == "AuthFailure"


@pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account.name)
def test_each_account_sees_its_own_machines(local_cloud, account):
    """EC2 reference, DescribeInstances: describes the caller's instances."""
    reservations = local_cloud.root(account, "ec2").describe_instances()["Reservations"]
    assert reservations
    assert {reservation["OwnerId"] for reservation in reservations} == {account.account_id}


def test_a_region_never_opted_into_does_not_know_the_keys(local_cloud):
    """Account Management guide, "Enable or disable AWS Regions"; EC2 "Error codes": AuthFailure."""
    assert code_of(local_cloud.root(NORTHWIND, "ec2", "af-south-1").describe_instances) == "AuthFailure"
    shown = local_cloud.root(NORTHWIND, "ec2").describe_regions()["Regions"]
    assert "af-south-1" not in {region["RegionName"] for region in shown}
    every = local_cloud.root(NORTHWIND, "ec2").describe_regions(AllRegions=True)["Regions"]
    assert {one["OptInStatus"] for one in every if one["RegionName"] == "af-south-1"} == {"not-opted-in"}


def test_a_region_switched_off_by_control_says_so(local_cloud):
    """EC2 "Error codes": OptInRequired."""
    local_cloud.control("disable-region", region="us-east-1")
    assert code_of(local_cloud.root(NORTHWIND, "ec2", "us-east-1").describe_instances) == "OptInRequired"
    local_cloud.control("enable-region", region="us-east-1")
    assert local_cloud.root(NORTHWIND, "ec2", "us-east-1").describe_instances()["Reservations"]
