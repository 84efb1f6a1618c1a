"""How does somebody become a member, with which role, and how do they stop being one? An owner always remains."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction

from accounts import audit, reach
from accounts.authentication import Caller, CallerKind
from accounts.domain import Role
from accounts.models import Invitation, Membership, Organization, User

SECRET_BYTES = 32
LIFETIME = timedelta(days=7)


class LastOwner(Exception):
    """Without an owner nobody could let anybody in again."""


class NotOpen(Exception):
    """The invitation was accepted, withdrawn, or has expired."""


@transaction.atomic
def invite(organization: Organization, email: str, role: Role, *, by: Caller, now: datetime) -> tuple[Invitation, str]:
    """A new invitation and its secret, which is shown this once and kept nowhere."""
    text = secrets.token_urlsafe(SECRET_BYTES)
    invitation = Invitation.objects.create(
        organization=organization,
        email=email,
        role=role.value,
        digest=_digest(text),
        invited_by=by.user,
        expires_at=now + LIFETIME,
    )
    audit.record(by, "person.invited", invitation, after={"email": email, "role": role.value})
    return invitation, text


@transaction.atomic
def withdraw(invitation: Invitation, *, by: Caller, now: datetime) -> None:
    """Nobody can accept it any more. Raises NotOpen when somebody has, or it was withdrawn before."""
    still = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None)
    if not still.update(withdrawn_at=now):
        raise NotOpen
    audit.record(by, "invitation.withdrawn", invitation, before={"email": invitation.email, "role": invitation.role})


def invitation_of(text: str, *, now: datetime) -> Invitation | None:
    """The open invitation of this link; None when it is unknown, used, withdrawn or expired: nobody learns which."""
    rows = Invitation.objects.open(at=now).select_related("organization", "invited_by")
    return rows.filter(digest=_digest(text)).first()


@transaction.atomic
def accept(invitation: Invitation, user: User, *, now: datetime) -> Membership:
    """Make them a member; whoever is one already keeps the higher of both roles. Raises NotOpen."""
    is_ours = Invitation.objects.open(at=now).filter(pk=invitation.pk)
    if not is_ours.update(accepted_at=now, accepted_by=user):
        raise NotOpen
    organization, role = invitation.organization, Role(invitation.role)
    membership, is_new = Membership.objects.get_or_create(
        organization=organization, user=user, defaults={"role": role.value}
    )
    before = None if is_new else membership.role
    if not Role(membership.role).includes(role):
        membership.role = role.value
        membership.save(update_fields=["role"])
    by = Caller(CallerKind.PERSON, user.get_username(), organization, user=user)
    audit.record(by, "invitation.accepted", invitation, before=before, after=membership.role)
    return membership


@transaction.atomic
def change_role(membership: Membership, role: Role, *, by: Caller) -> None:
    """Raises LastOwner when that would leave the organization without one."""
    current = _locked(membership)
    if current.role == role.value:
        return
    if role is not Role.OWNER:
        _keep_an_owner(current)
    before = current.role
    current.role = role.value
    current.save(update_fields=["role"])
    audit.record(by, "person.role_changed", current.user, before=before, after=role.value)
    reach.look_again(current.user)


@transaction.atomic
def remove(membership: Membership, *, by: Caller) -> None:
    """Take somebody out of the organization; they keep their name and what they did. Raises LastOwner."""
    current = _locked(membership)
    _keep_an_owner(current)
    audit.record(by, "person.removed", current.user, before=current.role)
    current.delete()
    reach.look_again(current.user)


def _locked(membership: Membership) -> Membership:
    """The row as it is now; one change of an organization's people at a time. Raises Membership.DoesNotExist."""
    Organization.objects.select_for_update().get(pk=membership.organization_id)
    return Membership.objects.select_related("user").get(pk=membership.pk)


def _keep_an_owner(leaving: Membership) -> None:
    owners = Membership.objects.filter(organization=leaving.organization_id, role=Role.OWNER.value)
    if not owners.exclude(pk=leaving.pk).exists():
        raise LastOwner


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
