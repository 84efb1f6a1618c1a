"""Are product and cluster read from what an instance says, and from nothing else?"""

import pytest

from instances.domain.pool import Product
from instances.domain.sighting import cluster_of, product_of


@pytest.mark.parametrize(
    ("platform", "operation", "product"),
    [
        ("Linux/UNIX", "RunInstances", Product.LINUX),
        ("Linux/UNIX", None, Product.LINUX),
        ("Red Hat Enterprise Linux", "RunInstances:0010", Product.RHEL),
        ("SUSE Linux", "RunInstances:000g", Product.SUSE),
        ("Windows", "RunInstances:0002", Product.WINDOWS),
        ("Linux/UNIX", "RunInstances:0004", None),  # with SQL Server
        ("Windows", "RunInstances:0800", None),  # its own licence
        ("Red Hat BYOL Linux", "RunInstances:00g0", None),
        ("SQL Server Web", "RunInstances:0200", None),
        (None, "RunInstances", None),
        ("", None, None),
    ],
)
def test_a_product_is_what_both_fields_agree_on(platform, operation, product):
    assert product_of(platform, operation) is product


@pytest.mark.parametrize(
    ("tags", "cluster"),
    [
        ({}, ""),
        ({"Name": "kubernetes.io"}, ""),
        ({"kubernetes.io/cluster/shop": "owned"}, "shop"),
        ({"kubernetes.io/cluster/": "owned"}, ""),
        ({"eks:cluster-name": "till", "kubernetes.io/cluster/shop": "owned"}, "shop"),
        ({"aws:eks:cluster-name": "till"}, "till"),
        ({"eks:cluster-name": "", "karpenter.sh/nodepool": "spot"}, "karpenter.sh/nodepool"),
    ],
)
def test_a_cluster_is_named_by_its_tags(tags, cluster):
    assert cluster_of(tags) == cluster
