"""Which policy is in force for an account, or for one of its instances?"""

from __future__ import annotations

from accounts.models import AwsAccount
from governance.domain.policy import Policy
from governance.models import OptimizationPolicy
from instances.models import Instance


def policy_in_force(account: AwsAccount, instance: Instance | None = None) -> Policy:
    """Organization ← account ← instance; `set_by` says which level set each value. One query.

    Raises PolicyError when what is stored cannot be taken: nothing is decided by limits that nobody can read.
    """
    rows = OptimizationPolicy.objects.filter(organization_id=account.organization_id)
    stored = {row.account_id: row.overrides for row in rows.filter(account=None) | rows.filter(account=account)}
    layers = [("organization", stored.get(None, {})), ("account", stored.get(account.pk, {}))]
    if instance is not None:
        layers.append(("instance", instance.policy_overrides))
    return Policy().merge(*layers)
