"""Addresses under `governance/` and `system/` that this app answers."""

from django.urls import path

from governance.api import audit, system

governance = [
    path("audit-log", audit.AuditLog.as_view(), name="audit-log"),
    path("audit-log/verify", audit.AuditVerify.as_view(), name="audit-verify"),
]

system = [
    path("components", system.Components.as_view(), name="components"),
    path("components/<slug:name>/runs", system.ComponentRuns.as_view(), name="component-runs"),
    path("logs", system.Logs.as_view(), name="logs"),
]
