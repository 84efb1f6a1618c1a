"""Whose limits hold for an instance?"""

import pytest

from governance.domain.policy import Policy, PolicyError
from governance.models import OptimizationPolicy
from governance.policies import policy_in_force
from tests.factories import an_account, an_instance, southwind

pytestmark = pytest.mark.django_db


def test_without_overrides_the_defaults_hold():
    assert policy_in_force(an_account()) == Policy()


def test_instance_beats_account_beats_organization(django_assert_num_queries):
    account = an_account()
    for of, overrides in (
        (None, {"min_zones": 2, "min_safety_score": 0.8, "max_pool_share": 0.3}),
        (account, {"min_safety_score": 0.85, "max_pool_share": 0.4}),
        (an_account(), {"max_pool_share": 0.9}),
    ):
        OptimizationPolicy.objects.create(organization=account.organization, account=of, overrides=overrides)
    OptimizationPolicy.objects.create(organization=southwind(), overrides={"min_zones": 1})
    instance = an_instance(account, policy_overrides={"max_pool_share": 0.5})
    with django_assert_num_queries(1):
        policy = policy_in_force(account, instance)
    assert (policy.min_zones, policy.min_safety_score, policy.max_pool_share) == (2, 0.85, 0.5)
    assert policy.set_by == {"min_zones": "organization", "min_safety_score": "account", "max_pool_share": "instance"}


def test_stored_limits_that_cannot_be_read_are_an_error_and_no_default():
    account = an_account()
    OptimizationPolicy.objects.create(organization=account.organization, overrides={"min_zones": "many"})
    with pytest.raises(PolicyError, match="organization: min_zones is 'many'"):
        policy_in_force(account)
