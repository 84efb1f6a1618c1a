"""Addresses under `governance/` and `system/` that this app answers."""

from django.urls import path

from governance.api import audit
from governance.api.system import ComponentRuns, Components, Logs

governance = [
    path("audit-log", audit.AuditLog.as_view(), name="audit-log"),
    path("audit-log/verify", audit.AuditVerify.as_view(), name="audit-verify"),
]

system = [
    path("components", Components.as_view(), name="components"),
    path("components/<slug:name>/runs", ComponentRuns.as_view(), name="component-runs"),
    path("logs", Logs.as_view(), name="logs"),
]
