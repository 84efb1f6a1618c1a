"""Which policy is in force, who set each of its limits, and how is it changed?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from accounts import audit
from accounts.authentication import Caller
from accounts.models import AuditEntry, AwsAccount, Organization
from governance.domain.limits import canonical, faults
from governance.domain.policy import Policy
from governance.models import OptimizationPolicy
from instances import instance_settings
from instances.instance_settings import POLICY_CHANGED
from instances.models import Instance

Layers = list[tuple[str, Mapping[str, Any]]]


class Unacceptable(Exception):
    """Limits that cannot be set; `faults` has a sentence for each."""

    def __init__(self, found: Mapping[str, str]) -> None:
        super().__init__("; ".join(found.values()))
        self.faults = dict(found)


class ChangedMeanwhile(Exception):
    """Somebody changed these limits since they were looked at; `state` says which version stands, and whose it is."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        super().__init__("Somebody changed these limits since you looked: look again, then say what you want.")
        self.state = dict(state)


@dataclass(frozen=True, slots=True)
class Place:
    """Where limits are set: an organization, one of its accounts, or one instance of that account."""

    organization: Organization
    account: AwsAccount | None = None
    instance: Instance | None = None

    @property
    def level(self) -> str:
        if self.instance is not None:
            return "instance"
        return "organization" if self.account is None else "account"

    @property
    def name(self) -> str:
        if self.instance is not None:
            return self.instance.name or self.instance.instance_id
        return self.organization.name if self.account is None else self.account.name


@dataclass(frozen=True, slots=True)
class Standing:
    """What a place sets itself, and since when; version 0 = it never set anything."""

    overrides: dict[str, Any]
    version: int
    changed_at: datetime | None
    changed_by: str  # empty: a key, whose name its history has


def policy_in_force(account: AwsAccount, instance: Instance | None = None) -> Policy:
    """Organization ← account ← instance; `set_by` says which level set each value. One query.

    Raises PolicyError when what is stored cannot be taken: nothing is decided by limits that nobody can read.
    """
    rows = OptimizationPolicy.objects.filter(organization_id=account.organization_id)
    stored = {row.account_id: row.overrides for row in rows.filter(account=None) | rows.filter(account=account)}
    layers: Layers = [("organization", stored.get(None, {})), ("account", stored.get(account.pk, {}))]
    if instance is not None:
        layers.append(("instance", instance.policy_overrides))
    return Policy().merge(*layers)


def above(place: Place) -> Place | None:
    """Whose limits hold where the place sets none; None above an organization: the defaults."""
    if place.instance is not None:
        return Place(place.organization, place.account)
    return None if place.account is None else Place(place.organization)


def in_force_at(place: Place) -> Policy:
    """What holds at the place; for an organization, what holds where no account says otherwise. Raises PolicyError."""
    if place.account is not None:
        return policy_in_force(place.account, place.instance)
    return Policy().merge(("organization", standing(place).overrides))


def standing(place: Place) -> Standing:
    if place.instance is not None:
        own = place.instance
        return Standing(own.policy_overrides, own.settings_version, own.settings_changed_at, own.settings_changed_by)
    row = _rows(place).select_related("changed_by").first()
    if row is None:
        return Standing({}, 0, None, "")
    return Standing(row.overrides, row.version, row.changed_at, row.changed_by.get_username() if row.changed_by else "")


def change(place: Place, overrides: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> Standing:
    """Set these limits in place of those that the place had; what then stands. The same again changes nothing.

    Raises Unacceptable, ChangedMeanwhile.
    """
    found = faults(overrides)
    if found:
        raise Unacceptable(found)
    overrides = canonical(overrides)
    if place.instance is not None:
        return _change_instance(place, overrides, seen=seen, by=by, now=now)
    before = standing(place)
    if before.version != seen:
        raise ChangedMeanwhile(_state(before))
    if before.overrides == overrides:
        return before
    with transaction.atomic():
        row = _write(place, overrides, seen=seen, by=by, now=now)
        audit.record(
            by,
            POLICY_CHANGED,
            row,
            organization=place.organization,
            before=before.overrides,
            after=row.overrides,
            reason=f"the limits of {place.account}" if place.account else "the limits of the organization",
        )
    return standing(place)


def history(place: Place) -> QuerySet[AuditEntry]:
    """Its changes, newest first: what the place had, what it has since, who said so."""
    row = place.instance or _rows(place).only("pk").first()
    subject = audit.subject_of(row) if row else ""
    return AuditEntry.objects.filter(organization=place.organization, subject=subject, deed=POLICY_CHANGED)


def _change_instance(place: Place, overrides: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> Standing:
    assert place.instance is not None
    try:
        row = instance_settings.change(place.instance, {"policy_overrides": dict(overrides)}, seen=seen, by=by, now=now)
    except instance_settings.ChangedMeanwhile as error:
        told = error.state
        state = {"version": told["settings_version"], **{n: told[n] for n in ("changed_by", "changed_at")}}
        raise ChangedMeanwhile(state) from error
    return standing(Place(place.organization, place.account, row))


def _write(place: Place, overrides: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> OptimizationPolicy:
    """Compare and swap: of two who looked at the same version the second is told."""
    if seen == 0:
        try:
            with transaction.atomic():
                return OptimizationPolicy.objects.create(
                    organization=place.organization, account=place.account, overrides=overrides, changed_by=by.user
                )
        except IntegrityError as error:
            raise ChangedMeanwhile(_state(standing(place))) from error
    written = {"overrides": overrides, "version": F("version") + 1, "changed_by": by.user, "changed_at": now}
    if not _rows(place).filter(version=seen).update(**written):
        raise ChangedMeanwhile(_state(standing(place)))
    return _rows(place).get()


def _rows(place: Place) -> QuerySet[OptimizationPolicy]:
    return OptimizationPolicy.objects.filter(organization=place.organization, account=place.account)


def _state(now: Standing) -> dict[str, Any]:
    return {"version": now.version, "changed_by": now.changed_by, "changed_at": now.changed_at}
