"""Was the audit log rewritten? Each entry is sealed over the seal before it, with a key that the database never sees.

Why so, and what it cannot show: docs/decisions/0019-audit-seals.md.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Min, QuerySet, Subquery

from accounts import heads
from accounts.heads import Head
from accounts.models import AuditEntry, AuditSeal

LOCK = (7_301, "seal the audit log")  # an advisory lock: one sealer at a time, in whatever process
LATE = 10_000  # entries; a deed that commits after so many later ones waits for the hourly turn, which looks at all
BATCH = 5_000  # entries a turn: a transaction that stays short
MOST_FAULTS = 100  # told one by one
# every column as the database writes it: a change of one digit in a JSON number is a change
ROW = (
    "e.id, e.organization_id::text, e.at, e.person_id, e.api_key_id, e.actor, e.deed, e.subject,"
    " e.before::text, e.after::text, e.reason, e.request_id"
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a chain is broken, and what is wrong there in words."""

    sequence: int
    entry_id: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found. `head` is None while nothing is sealed, `oldest_unsealed_at` while nothing waits.

    `is_anchored` says whether a head kept outside the database was there to compare with: without one, entries cut off
    the end of the chain are not missed.
    """

    sealed: int
    head: Head | None
    faults: tuple[Fault, ...]
    faults_count: int
    unsealed: int
    oldest_unsealed_at: datetime | None
    is_anchored: bool

    @property
    def is_intact(self) -> bool:
        return self.faults_count == 0

    def tail_lasts(self, *, now: datetime) -> timedelta:
        """How long the oldest entry has waited for its seal; nothing when none does."""
        return max(now - self.oldest_unsealed_at, timedelta()) if self.oldest_unsealed_at else timedelta()


def seal_of(key: str, previous: str, sequence: int, row: Sequence[Any]) -> str:
    """The seal of an entry: HMAC-SHA256 over the seal before it, its place, and its columns in the order of ROW."""
    plain = [c.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(c, datetime) else c for c in row]
    text = json.dumps([previous, sequence, *plain], separators=(",", ":"))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def seal(*, whole: bool = False) -> int:
    """Seal what is not sealed yet, at most BATCH entries; how many. 0 also while another process is at it.

    Looks at the newest LATE entries, or with `whole` at all of them.
    """
    with transaction.atomic():
        if not _is_our_turn():
            return 0
        chains: dict[str | None, list[AuditSeal]] = {}
        for row in _unsealed(whole=whole):
            organization = row[1]
            chain = chains.setdefault(organization, [])
            last = chain[-1] if chain else _last(organization)
            sequence = last.sequence + 1 if last else 1
            digest = seal_of(settings.AUDIT_KEY, last.seal if last else "", sequence, row)
            chain.append(AuditSeal(organization_id=organization, sequence=sequence, entry_id=row[0], seal=digest))
        made = [each for chain in chains.values() for each in chain]
        AuditSeal.objects.bulk_create(made)
    for organization, chain in chains.items():
        _keep(organization, Head(chain[-1].sequence, chain[-1].seal))
    return len(made)


def verify(organization: uuid.UUID | None, *, known: Head | None = None) -> Verdict:
    """Recompute the chain of an organization, None = the platform's own, and say what does not fit.

    `known` is a head that somebody wrote down earlier: it must still be in the chain.
    """
    kept = heads.read(_text(organization))  # before the rows: whatever it names was committed by then
    anchors = [head for head in (kept, known) if head]
    faults: list[Fault] = []
    previous, sealed, met = Head(0, ""), 0, set[Head]()
    for sequence, stored, *row in _chain(organization):
        faults += _faults(previous, sequence, stored, row)
        previous = Head(sequence, stored)
        met.update(anchor for anchor in anchors if anchor == previous)
        sealed += 1
    faults += [Fault(lost.sequence, None, _lost(lost, previous)) for lost in anchors if lost not in met]
    unsealed, oldest = _tail(organization)
    return Verdict(
        sealed=sealed,
        head=previous if sealed else None,
        faults=tuple(faults[:MOST_FAULTS]),
        faults_count=len(faults),
        unsealed=unsealed,
        oldest_unsealed_at=oldest,
        is_anchored=bool(anchors),
    )


def overdue(organization: uuid.UUID, *, before: datetime) -> tuple[int, datetime | None]:
    """How many of its entries written before then have no seal yet, and when the oldest was; among the newest LATE."""
    newest = AuditEntry.objects.order_by("-id").values("id")[:1]
    waiting = AuditEntry.objects.filter(organization=organization, at__lt=before, sealed=None)
    found = waiting.filter(id__gt=Subquery(newest) - LATE).aggregate(n=Count("pk"), oldest=Min("at"))
    return found["n"], found["oldest"]


def _faults(previous: Head, sequence: int, stored: str, row: list[Any]) -> Iterator[Fault]:
    if sequence != previous.sequence + 1:
        first, last = previous.sequence + 1, sequence - 1
        which = f"seal {first} is" if first == last else f"seals {first} to {last} are"
        yield Fault(first, None, f"{which} missing, with the entries under them")
    entry_id = row[0]
    if entry_id is None:
        yield Fault(sequence, None, "the entry under this seal is missing")
    elif not hmac.compare_digest(stored, seal_of(settings.AUDIT_KEY, previous.seal, sequence, row)):
        yield Fault(sequence, entry_id, "the entry, its seal or its place in the chain was changed")


def _lost(anchor: Head, last: Head) -> str:
    if anchor.sequence > last.sequence:
        return f"the chain is cut off: it ends at {last.sequence}, and was known to reach {anchor.sequence}"
    return f"the chain was rewritten: seal {anchor.sequence} was known to be another"


def _keep(organization: str | None, head: Head) -> None:
    """Tell the new head outside the database, unless the chain no longer holds the one that is kept: that is evidence.

    The log line is the write-once copy, where logs are gathered.
    """
    logger.info("audit sealed", extra={"audited": organization, "sequence": head.sequence, "seal": head.seal})
    kept = heads.read(organization)
    if kept is None or _chain_of(organization).filter(sequence=kept.sequence, seal=kept.seal).exists():
        heads.write(organization, head)
    else:
        logger.error("the audit chain was rewritten", extra={"audited": organization, "known": kept.sequence})


def _is_our_turn() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", LOCK)
        return bool(cursor.fetchone() == (True,))


def _chain_of(organization: str | None) -> QuerySet[AuditSeal]:
    if organization is None:
        return AuditSeal.objects.filter(organization=None)
    return AuditSeal.objects.filter(organization_id=organization)


def _last(organization: str | None) -> AuditSeal | None:
    return _chain_of(organization).order_by("-sequence").first()


def _unsealed(*, whole: bool) -> list[tuple[Any, ...]]:
    """The oldest entries without a seal, as ROW. Not "after the last sealed": a lower id may commit later."""
    newest = AuditEntry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {ROW} FROM accounts_auditentry e WHERE e.id > %s"  # noqa: S608 -- a constant
            " AND NOT EXISTS (SELECT 1 FROM accounts_auditseal s WHERE s.entry_id = e.id) ORDER BY e.id LIMIT %s",
            [0 if whole else newest - LATE, BATCH],
        )
        return list(cursor.fetchall())


def _chain(organization: uuid.UUID | None) -> Iterable[Sequence[Any]]:
    """(sequence, seal, *ROW) in order, from one snapshot and in pieces; the ROW of an entry that is gone is None."""
    whose, values = _whose("s", organization)
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            f"SELECT s.sequence, s.seal, {ROW} FROM accounts_auditseal s"  # noqa: S608 -- constants
            f" LEFT JOIN accounts_auditentry e ON e.id = s.entry_id WHERE {whose} ORDER BY s.sequence",
            values,
        )
        while rows := cursor.fetchmany(2000):
            yield from rows


def _tail(organization: uuid.UUID | None) -> tuple[int, datetime | None]:
    """How many entries have no seal, and when the oldest was written."""
    whose, values = _whose("e", organization)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), min(e.at) FROM accounts_auditentry e WHERE {whose}"  # noqa: S608 -- constants
            " AND NOT EXISTS (SELECT 1 FROM accounts_auditseal s WHERE s.entry_id = e.id)",
            values,
        )
        count, oldest = cursor.fetchone()
        return int(count), oldest


def _whose(table: str, organization: uuid.UUID | None) -> tuple[str, list[str]]:
    if organization is None:
        return f"{table}.organization_id IS NULL", []
    return f"{table}.organization_id = %s", [str(organization)]


def _text(organization: uuid.UUID | None) -> str | None:
    return None if organization is None else str(organization)
