"""What does an instance say of itself: which product is it billed as, to which cluster does it belong?"""

from __future__ import annotations

from collections.abc import Mapping

from instances.domain.pool import Product

# EC2 guide, "AMI billing information": UsageOperation. What is not listed carries a fee that Spot prices do not show.
PRODUCT_BY_OPERATION = {
    "RunInstances": Product.LINUX,
    "RunInstances:0010": Product.RHEL,
    "RunInstances:000g": Product.SUSE,
    "RunInstances:0002": Product.WINDOWS,
}
CLUSTER_KEY = "kubernetes.io/cluster/"  # the name stands in the key
CLUSTER_TAGS = ("aws:eks:cluster-name", "eks:cluster-name", "alpha.eksctl.io/cluster-name", "KubernetesCluster")
NODE_TAGS = ("karpenter.sh/nodepool", "karpenter.sh/nodeclaim", "eks:nodegroup-name")  # a node, of a nameless cluster


def product_of(platform_details: str | None, usage_operation: str | None) -> Product | None:
    """The product whose Spot prices apply; None when AWS did not say, says two things, or names one without prices."""
    if platform_details not in set(Product):
        return None
    product = Product(platform_details)
    if usage_operation is not None and PRODUCT_BY_OPERATION.get(usage_operation) is not product:
        return None
    return product


def cluster_of(tags: Mapping[str, str]) -> str:
    """The cluster that the tags name, or the tag that makes it a node of one without a name; empty = no cluster."""
    for key in sorted(tags):
        if key.startswith(CLUSTER_KEY) and len(key) > len(CLUSTER_KEY):
            return key[len(CLUSTER_KEY) :]
    named = next((tags[key] for key in CLUSTER_TAGS if tags.get(key)), "")
    return named or next((key for key in NODE_TAGS if key in tags), "")
