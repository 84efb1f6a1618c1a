"""Is the audit log as it was written?"""

from __future__ import annotations

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import sealing
from accounts.heads import Head
from accounts.models import Organization


class Command(BaseCommand):
    help = "Recompute the seals of the audit log and say what does not fit; fails when something does not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", nargs="?", help="a customer_id; without one: everybody, and the platform")
        parser.add_argument("--head", metavar="SEQUENCE:SEAL", help="a head written down earlier, which must be there")

    def handle(self, *args: Any, **options: Any) -> None:
        known = _head(options["head"]) if options["head"] else None
        if known and not options["organization"]:
            raise CommandError("A head belongs to one organization: name it.")
        broken = [str(name) for name, pk in _chains(options["organization"]) if not self._verify(name, pk, known)]
        if broken:
            raise CommandError(f"The audit log was rewritten: {', '.join(broken)}.")

    def _verify(self, name: str, organization: uuid.UUID | None, known: Head | None) -> bool:
        found = sealing.verify(organization, known=known)
        waits = f"{found.tail_lasts(now=timezone.now()).total_seconds():.0f} s"
        head = f"{found.head.sequence}:{found.head.seal}" if found.head else "none"
        self.stdout.write(
            f"{name}: {'intact' if found.is_intact else 'BROKEN'}, {found.sealed} sealed, {found.unsealed} not yet"
            f" (the oldest for {waits}), head {head}"
            + ("" if found.is_anchored else "; no head was kept outside, so a cut-off end would not show")
        )
        for fault in found.faults:
            self.stdout.write(
                f"  {fault.sequence}: {fault.what}" + (f" (entry {fault.entry_id})" * bool(fault.entry_id))
            )
        if found.faults_count > len(found.faults):
            self.stdout.write(f"  … and {found.faults_count - len(found.faults)} more")
        return found.is_intact


def _chains(named: str | None) -> list[tuple[str, uuid.UUID | None]]:
    if not named:
        every = [(o.name, o.pk) for o in Organization.objects.all()]
        return [*every, ("the platform", None)]
    try:
        organization = Organization.objects.get(pk=uuid.UUID(named))
    except (ValueError, Organization.DoesNotExist) as error:
        raise CommandError(f"There is no organization {named}.") from error
    return [(organization.name, organization.pk)]


def _head(text: str) -> Head:
    sequence, _, seal = text.partition(":")
    if not sequence.isdigit() or not seal:
        raise CommandError(f"{text!r} is not like 12:9f86….")
    return Head(int(sequence), seal)
