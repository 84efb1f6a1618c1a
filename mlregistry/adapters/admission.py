"""A stranger's model, read inside the sandbox: is it one, does it answer its sample, and how is it spelt canonically?

Runs in the locked child alone (mlregistry/sandbox.py). What it answers is looked at again by whoever asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlregistry.adapters.lightgbm import load
from mlregistry.adapters.metadata import ModelRefused


def admit(metadata: Mapping[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    """`{"refused": why}`, or what its sample was answered with, and the model as the library itself writes it."""
    try:
        adapter = load(content, metadata)
        adapter.try_sample()
        answered = adapter.predict(adapter.metadata.sample_inputs).tolist()
        return {"sample": answered}, adapter.canonical()
    except ModelRefused as refused:
        return {"refused": str(refused)}, b""
