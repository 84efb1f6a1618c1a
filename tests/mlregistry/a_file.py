"""A model as somebody sends it."""

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.mlregistry import a_model


def a_form(content: bytes | None = None, *, file_name: str = "model.txt", **changes: Any) -> dict[str, Any]:
    """The form of tests/mlregistry/a_model.py, with `changes`; None leaves a field out."""
    metadata = a_model.metadata(trained_until="2023-05-14")
    for said in ("name", "version", "model_type", "trained_until"):
        metadata.pop(said)
    content = a_model.model_bytes() if content is None else content
    form = {
        "file": SimpleUploadedFile(file_name, content),
        "model_name": "sent",
        "model_version": "1",
        "model_type": "spot_predictor",
        "trained_until_date": "2023-05-14",
        "metadata": json.dumps(metadata),
    } | changes
    return {name: value for name, value in form.items() if value is not None}


def upload(client: Client, content: bytes | None = None, **changes: Any) -> Any:
    return client.post("/api/v1/ml/models/upload", a_form(content, **changes))
