"""May this installation start? What is wrong is said before the first request, with what to do."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from accounts import throttling

OURS = ("accounts", "instances", "mlregistry", "governance", "pipelines")
LONGEST_SKEW_SECONDS = 60  # AWS rejects signatures at 5 minutes (safety.md 1)


@register(Tags.models)
def every_row_has_an_owner(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """A model that does not lead to an organization could be listed to anybody."""
    return [message for label in OURS for message in _undeclared(label)]


def _undeclared(label: str) -> Iterator[CheckMessage]:
    config = apps.get_app_config(label)
    ownership: dict[str, str] = getattr(config, "ownership", {})
    models = {model.__name__ for model in config.get_models(include_auto_created=False)}
    for name in sorted(models - set(ownership)):
        yield Error(
            f"{label}.{name} does not say whose its rows are.",
            hint=f'Add "{name}" to `ownership` in {label}/apps.py: the lookup to its organization, SHARED or PLATFORM.',
            id="accounts.E001",
        )
    for name in sorted(set(ownership) - models):
        yield Error(f"{label}/apps.py declares the owner of {name}, which is no model.", id="accounts.E002")


@register()
def lightgbm_can_load(app_configs: Any, **_: Any) -> list[CheckMessage]:
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        hint = "Debian and Ubuntu: apt-get install -y libgomp1. Fedora: dnf install libgomp. Alpine: apk add libgomp."
        return [Error("libgomp.so.1 is missing; LightGBM needs it.", hint=hint, id="accounts.E003")]
    return []


@register()
def settings_make_sense(app_configs: Any, **_: Any) -> list[CheckMessage]:
    problems = []
    for name in settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]:
        try:
            throttling.rate(name)
        except (ValueError, KeyError):
            problems.append(f"The rate of {name!r} is not like 6000/min.")
    account = settings.INSTALLATION_ACCOUNT_ID
    if account and not (len(account) == 12 and account.isdigit()):
        problems.append(f"INSTALLATION_ACCOUNT_ID={account!r} has not 12 digits.")
    if not settings.ADMIN_PATH.endswith("/") or settings.ADMIN_PATH.startswith("/"):
        problems.append(f"ADMIN_PATH={settings.ADMIN_PATH!r} is not like admin/.")
    return [Error(problem, id="accounts.E004") for problem in problems]


@register(Tags.database)
def clocks_agree(app_configs: Any, databases: Sequence[str] | None, **_: Any) -> list[CheckMessage]:
    """Due times are the database's, signatures are ours: they must not drift apart."""
    problems: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            skew = abs((datetime.now(UTC) - cursor.fetchone()[0]).total_seconds())
        if skew > LONGEST_SKEW_SECONDS:
            text = f"This machine's clock and the database's differ by {skew:.0f} s."
            problems.append(Error(text, hint="Synchronize both with NTP.", id="accounts.E005"))
    return problems


@register(Tags.database, deploy=True)
def the_audit_is_closed(app_configs: Any, databases: Sequence[str] | None, **_: Any) -> list[CheckMessage]:
    """The role that serves requests must not be able to rewrite the audit table."""
    problems: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT current_user, rolsuper OR rolbypassrls OR has_table_privilege('accounts_auditentry', 'UPDATE')"
                " OR has_table_privilege('accounts_auditentry', 'DELETE')"
                " OR has_table_privilege('accounts_auditseal', 'UPDATE')"
                " OR has_table_privilege('accounts_auditseal', 'DELETE') FROM pg_roles WHERE rolname = current_user"
            )
            role, is_too_strong = cursor.fetchone()
        if is_too_strong:
            text = f"The database role {role} may change audit entries."
            hint = "Run the application as a role that owns nothing (DATABASE_ROLE_APP)."
            problems.append(Error(text, hint=hint, id="accounts.E006"))
    return problems
