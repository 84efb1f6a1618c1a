"""Does a decision come out again from its receipt alone?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlregistry.adapters.metadata import ModelRefused
from mlregistry.models import ModelVersion
from pipelines import receipts
from pipelines.domain.decision import decide
from pipelines.domain.flips import applied
from pipelines.domain.receipt import BadReceipt, differences, digest
from pipelines.models import ExperimentLog
from pipelines.software import software

CIRCUMSTANCES = ("instance", "sources", "rejected", "software")
TOLERANCE = 1e-12  # on another lock file or processor family


@dataclass(frozen=True, slots=True)
class Replay:
    """`differences` is empty when all came out again; `is_exact`: compared bit for bit."""

    is_exact: bool
    differences: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        return not self.differences


def replay(decision: ExperimentLog) -> Replay:
    """Recompute features, probability, safety, gates, decision and flip; nothing but models is read from tables."""
    if digest(decision.receipt) != decision.receipt_sha256:
        return Replay(False, ("the receipt is not the one that was stored: its SHA-256 differs",))
    found = replay_receipt(decision.receipt)
    told = decision.receipt["decision"]["choice"]
    if told != decision.decision:
        return Replay(found.is_exact, (f"the row says {decision.decision}, its receipt {told}", *found.differences))
    return found


def replay_receipt(receipt: Mapping[str, Any]) -> Replay:
    """The same for a receipt on its own."""
    is_exact = _is_same_machine(receipt.get("software") or {})
    try:
        given = receipts.given_from(receipt)
        found = receipts.answered(given)
        again = receipts.written(given, found, {name: receipt[name] for name in CIRCUMSTANCES})
    except (BadReceipt, KeyError) as wrong:
        return Replay(is_exact, (f"the receipt cannot be read: {wrong}",))
    except (ModelVersion.DoesNotExist, ModelRefused) as wrong:
        return Replay(is_exact, (f"its model cannot be asked: {wrong}",))
    apart = list(differences(receipt, again, tolerance=0.0 if is_exact else TOLERANCE))
    if found.flip is not None and decide(applied(found.flip, found.question)).choice is not found.flip.becomes:
        apart.append(f"flip: the change it names does not turn the decision: {found.flip.sentence}")
    return Replay(is_exact, tuple(apart))


def _is_same_machine(told: Mapping[str, Any]) -> bool:
    here = software()
    return all(told.get(name) == here[name] for name in ("lock_sha256", "processor"))
