"""With which software, on which kind of processor, is this being computed?"""

from __future__ import annotations

import hashlib
import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from django.conf import settings

PACKAGES = ("numpy", "lightgbm", "django")
CPUINFO = Path("/proc/cpuinfo")
# what decides which vector instructions NumPy takes: on x86, then on Arm
CPU_FACTS = ("vendor_id", "cpu family", "model", "CPU implementer", "CPU part")


@lru_cache(maxsize=1)
def software() -> dict[str, str | None]:
    """Versions, the digest of the lock file (None without one), and the processor family."""
    return {
        "lock_sha256": _lock_digest(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "processor": _processor(),
    }


def _lock_digest() -> str | None:
    lock = Path(settings.BASE_DIR) / "requirements.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """`x86_64 GenuineIntel 6 85`; the machine's kind alone where Linux tells no more."""
    found: dict[str, str] = {}
    if CPUINFO.is_file():
        for line in CPUINFO.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in CPU_FACTS:
                found.setdefault(name.strip(), value.strip())
    return " ".join([platform.machine(), *(found[name] for name in CPU_FACTS if name in found)])
