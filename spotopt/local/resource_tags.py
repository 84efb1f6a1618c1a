"""Which tags has the one resource that a call is about? IAM reference, "aws:ResourceTag/tag-key"."""

from __future__ import annotations

from spotopt.local.wire import Call

from moto.ec2.models import ec2_backends  # isort: skip

NAMED_BY = ("InstanceId.1", "ImageId", "SnapshotId")


def resource_tags(call: Call, account_id: str) -> dict[str, str]:
    """Condition keys with their values; none where the call names no such resource of EC2."""
    if call.service != "ec2":
        return {}
    named = next((str(call.params[name]) for name in NAMED_BY if call.params.get(name)), "")
    tags = ec2_backends[account_id][call.region].tags.get(named, {}) if named else {}
    return {f"aws:ResourceTag/{key}": str(value) for key, value in tags.items()}
