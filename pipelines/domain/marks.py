"""Which tags say that somebody else runs an instance? (safety.md, section 7)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

GROUP_TAG = "aws:autoscaling:groupName"
CLUSTER_TAGS = (
    "aws:eks:cluster-name",
    "eks:cluster-name",
    "eks:nodegroup-name",
    "eks:eks-cluster-name",
    "alpha.eksctl.io/*",
    "kubernetes.io/cluster/*",
    "karpenter.sh/nodepool",
    "karpenter.sh/nodeclaim",
    "k8s.io/role/*",
    "sigs.k8s.io/cluster-api-provider-aws/*",
)
STACK_TAGS = ("aws:cloudformation:*",)
# Tags that AWS services set on machines they run
SERVICE_TAGS = (
    "AmazonECSManaged",
    "AWSBatchServiceTag",
    "elasticbeanstalk:environment-name",
    "opsworks:*",
    "parallelcluster:*",
    "AWSApplicationMigrationServiceManaged",
    "AWSElasticDisasterRecoveryManaged",
)
SERVICE_VALUES = {"CreatedBy": "EC2 Image Builder"}
# AWS alone can write `aws:` tags; this one only tells what an instance was launched from
HARMLESS_AWS_TAGS = ("aws:ec2launchtemplate:*",)


def matching(tags: Iterable[str], patterns: Iterable[str]) -> str:
    """The first tag key, in alphabetical order, that matches a pattern (`*` at its end); empty when none does."""
    wanted = tuple(patterns)
    return next((tag for tag in sorted(tags) if any(fnmatchcase(tag, each) for each in wanted)), "")


def service_mark(tags: Mapping[str, str]) -> str:
    """The tag that says an AWS service runs the instance; empty when none does.

    Groups, clusters and stacks are not named here: they have refusals of their own.
    """
    told = matching(tags, SERVICE_TAGS)
    if told:
        return told
    for key, value in SERVICE_VALUES.items():
        if tags.get(key) == value:
            return f"{key}: {value}"
    elsewhere = (GROUP_TAG, *CLUSTER_TAGS, *STACK_TAGS, *HARMLESS_AWS_TAGS)
    return matching((tag for tag in tags if tag.startswith("aws:") and not matching([tag], elsewhere)), ("*",))
