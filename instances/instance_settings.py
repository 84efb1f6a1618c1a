"""What people say about an instance: changed by one who has seen what stands there, and written down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F

from accounts import audit
from accounts.authentication import Caller
from instances.domain.instance_settings import STATEMENT, faults
from instances.models import Instance

PLAIN = ("pipeline_mode", "health_port", "health_path")
PERSONS_ONLY = "A statement is signed by a person; a key is nobody's word."
POLICY_CHANGED = "policy.changed"  # also governance's, for the wider levels: one name for one history
STATED, WITHDRAWN = "instance.stateless_stated", "instance.stateless_withdrawn"


class Invalid(Exception):
    """Settings that cannot be; `faults` says for each field what to change."""

    def __init__(self, found: Mapping[str, str]) -> None:
        super().__init__("; ".join(found.values()))
        self.faults = dict(found)


class ChangedMeanwhile(Exception):
    """Somebody changed the settings since they were looked at; `state` says who, when and which version stands."""

    def __init__(self, row: Instance) -> None:
        super().__init__("Somebody changed these settings since you looked: look again, then say what you want.")
        self.state = {
            "settings_version": row.settings_version,
            "changed_by": row.settings_changed_by,
            "changed_at": row.settings_changed_at,
        }


def change(
    instance: Instance, wanted: Mapping[str, Any], *, seen: int, by: Caller, now: datetime, is_touched: bool = False
) -> Instance:
    """Set any of PLAIN, `policy_overrides` (which governance has checked) and `stateless`; the row as it then is.

    What is the same already is no change: without one nothing is written, unless the caller changes something beside
    the row and `is_touched`. Raises ChangedMeanwhile when `seen` is no longer the version, Invalid, and
    PermissionDenied for a key's statement.
    """
    with transaction.atomic():
        row = Instance.objects.select_for_update(of=("self",)).select_related("account").get(pk=instance.pk)
        if row.settings_version != seen:
            raise ChangedMeanwhile(row)
        found = faults(
            {name: wanted.get(name, getattr(row, name)) for name in PLAIN}, has_group=row.group_id is not None
        )
        if found:
            raise Invalid(found)
        written = _set_plain(row, wanted, by) | _set_policy(row, wanted, by) | _sign(row, wanted, by, now)
        if not written and not is_touched:
            return row
        row.settings_version += 1
        row.settings_changed_by, row.settings_changed_at = by.actor, now
        row.save(update_fields=[*written, "settings_version", "settings_changed_by", "settings_changed_at"])
    return row


def touch(row: Instance, *, by: str, now: datetime) -> None:
    """Make what others have seen of the settings old; for whoever writes them otherwise."""
    changed = {"settings_version": F("settings_version") + 1, "settings_changed_by": by, "settings_changed_at": now}
    Instance.objects.filter(pk=row.pk).update(**changed)


def _set_plain(row: Instance, wanted: Mapping[str, Any], by: Caller) -> set[str]:
    before = {n: getattr(row, n) for n in PLAIN if n in wanted and wanted[n] != getattr(row, n)}
    if before:
        after = {name: wanted[name] for name in before}
        for name, value in after.items():
            setattr(row, name, value)
        _record(by, "instance.settings_changed", row, before=before, after=after)
    return set(before)


def _set_policy(row: Instance, wanted: Mapping[str, Any], by: Caller) -> set[str]:
    before, after = row.policy_overrides, wanted.get("policy_overrides", row.policy_overrides)
    if before == after:
        return set()
    row.policy_overrides = after
    _record(by, POLICY_CHANGED, row, before=before, after=after)
    return {"policy_overrides"}


def _sign(row: Instance, wanted: Mapping[str, Any], by: Caller, now: datetime) -> set[str]:
    """A statement that stands is not signed again: it stays the word of who gave it."""
    is_stated = bool(row.stateless_said_by)
    if wanted.get("stateless", is_stated) == is_stated:
        return set()
    if by.user is None:
        raise PermissionDenied(PERSONS_ONLY)
    before = {"said_by": row.stateless_said_by, "said_at": row.stateless_said_at} if is_stated else None
    row.stateless_said_by, row.stateless_said_at = ("", None) if is_stated else (by.actor, now)
    after = None if is_stated else {"said_by": by.actor, "said_at": now, "statement": STATEMENT}
    _record(by, WITHDRAWN if is_stated else STATED, row, before=before, after=after)
    return {"stateless_said_by", "stateless_said_at"}


def _record(by: Caller, deed: str, row: Instance, **told: Any) -> None:
    audit.record(by, deed, row, organization=row.account.organization, **told)
