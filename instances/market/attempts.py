"""How did asking a source end, and what was wrong with what it said?"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from accounts.aws.errors import AwsError
from accounts.aws.read.advisor import AdvisorMalformed, AdvisorUnavailable
from accounts.aws.read.shapes import Rejected
from instances.locks import advisory_lock
from instances.models import FetchOutcome, FetchSource, MarketFetch

logger = logging.getLogger(__name__)

Work = Callable[[MarketFetch], FetchOutcome]
EXAMPLES = 5  # of rejected rows that a fetch's detail shows
LONGEST_EXAMPLE = 200  # characters
BETWEEN_LOCK_AND_ROW = 0.05  # s in which the holder of the lock has not written its row yet


class Refused(Exception):
    """It came, and we do not believe it; the old data stays."""


@dataclass(slots=True)
class Rejections:
    """Rows that were not taken: how many, and the first few with the reason."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, row: object, reason: str) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{reason}: {row}"[:LONGEST_EXAMPLE])

    def extend(self, rejected: Iterable[Rejected]) -> None:
        for raw, reason in rejected:
            self.add(shown(raw), reason)

    def __str__(self) -> str:
        if not self.count:
            return ""
        return f"{self.count} rejected, among them: " + "; ".join(self.examples)


def shown(raw: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in raw.items())


def attempt(source: FetchSource, region: str, work: Work, *, now: datetime, of: str = "") -> MarketFetch:
    """Do `work` as the one attempt at this source and region (`of` an account), and keep how it ended.

    `work` fills in the fetch and says its outcome; Refused and errors of the source become outcomes. While another
    process is at it, nothing is done and its running row is returned. An attempt that was cut off is noted as failed
    by the next. Raises OperationalError or InterfaceError when the database goes: then the caller repeats.
    """
    with advisory_lock(f"fetch:{source}:{region}:{of}") as is_ours:
        if not is_ours:
            return _running(source, region)
        _note_those_cut_off(source, region, now)
        fetch = MarketFetch.objects.create(source=source.value, region=region, started_at=now)
        try:
            fetch.outcome = work(fetch).value
        except (OperationalError, InterfaceError):
            raise  # nothing can be written down now
        except Refused as refusal:
            _end(fetch, FetchOutcome.REFUSED, str(refusal))
        except AdvisorMalformed as error:
            _end(fetch, FetchOutcome.REFUSED, f"malformed: {error}")
        except (AwsError, AdvisorUnavailable) as error:
            _end(fetch, FetchOutcome.FAILED, f"{type(error).__name__}: {error}")
        except BaseException as error:
            _end(fetch, FetchOutcome.FAILED, f"{type(error).__name__}: {error}")
            raise
        else:
            _end(fetch, FetchOutcome(fetch.outcome), fetch.detail)
    return fetch


def is_whole(fetch: MarketFetch) -> bool:
    return fetch.outcome in {FetchOutcome.FILLED, FetchOutcome.EMPTY, FetchOutcome.UNCHANGED}


def _end(fetch: MarketFetch, outcome: FetchOutcome, detail: str) -> None:
    fetch.outcome = outcome.value
    fetch.detail = detail
    fetch.ended_at = timezone.now()
    fetch.save()
    level = logging.INFO if is_whole(fetch) else logging.WARNING
    facts = {"source": fetch.source, "region": fetch.region, "outcome": fetch.outcome, "detail": detail}
    logger.log(level, "fetch ended", extra=facts)


def _running(source: FetchSource, region: str) -> MarketFetch:
    """The row of whoever holds the lock; it may have taken the lock and not yet written."""
    logger.info("another process fetches this already", extra={"source": source.value, "region": region})
    running = MarketFetch.objects.filter(source=source, region=region).order_by("-started_at", "-id")
    while (latest := running.first()) is None:
        time.sleep(BETWEEN_LOCK_AND_ROW)
    return latest


def _note_those_cut_off(source: FetchSource, region: str, now: datetime) -> None:
    """We hold the lock, so whoever wrote `running` is dead."""
    MarketFetch.objects.filter(source=source, region=region, outcome=FetchOutcome.RUNNING).update(
        outcome=FetchOutcome.FAILED, ended_at=now, detail="cut off: its process or connection ended before it did"
    )
