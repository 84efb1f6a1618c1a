"""May this model judge that account's instances, and which of them fall into its share?"""

from __future__ import annotations

import hashlib

SERVING, SHADOW = "serving", "shadow"
TESTING, GRADUATED, REJECTED = "testing", "graduated", "rejected"
LAB = "LAB"


def refusal(kind: str, status: str, environment: str, *, is_deleted: bool = False) -> str:
    """Why it may not, in words; empty where it may.

    A graduated model may serve anywhere, one in testing in LAB accounts only; both may run in shadow. A rejected or
    deleted one does neither.
    """
    if is_deleted:
        return "it was deleted"
    if status == REJECTED:
        return "it was rejected"
    if kind == SERVING and status != GRADUATED and environment != LAB:
        return f"it is {status}, and only a graduated model serves in {environment}"
    return ""


def is_drawn(model_id: int, instance_id: str, share: float) -> bool:
    """Whether the instance is in that model's share of its account: always the same answer, and a larger share keeps
    whom a smaller one drew. Each model draws its own sample, so that one instance is not the subject of every trial."""
    drawn = int.from_bytes(hashlib.sha256(f"{model_id}/{instance_id}".encode()).digest()[:8])
    return drawn < share * 2**64
