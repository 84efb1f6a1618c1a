"""Addresses under `governance/` and `system/` that this app answers."""

from django.urls import path

from governance.api import audit, policies
from governance.api.system import ComponentRuns, Components, Logs

governance = [
    path("audit-log", audit.AuditLog.as_view(), name="audit-log"),
    path("audit-log/verify", audit.AuditVerify.as_view(), name="audit-verify"),
    path("policies", policies.PolicyList.as_view(), name="policies"),
    path("policies/organization", policies.OrganizationPolicy.as_view(), name="organization-policy"),
    path("policies/organization/history", policies.OrganizationHistory.as_view(), name="organization-policy-history"),
    path("policies/accounts/<int:account_pk>", policies.AccountPolicy.as_view(), name="account-policy"),
    path(
        "policies/accounts/<int:account_pk>/history", policies.AccountHistory.as_view(), name="account-policy-history"
    ),
    path("policies/instances/<int:instance_id>", policies.InstancePolicy.as_view(), name="instance-policy"),
    path(
        "policies/instances/<int:instance_id>/history",
        policies.InstanceHistory.as_view(),
        name="instance-policy-history",
    ),
]

system = [
    path("components", Components.as_view(), name="components"),
    path("components/<slug:name>/runs", ComponentRuns.as_view(), name="component-runs"),
    path("logs", Logs.as_view(), name="logs"),
]
