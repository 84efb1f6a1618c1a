"""What may people say about models on pages?"""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet

from accounts.models import AwsAccount
from instances.models import Instance
from mlregistry.models import AssignmentKind, ModelStatus, ModelType
from mlregistry.uploads import METADATA_LIMIT_MIB, Offered

MOST_INSTANCES = 1000


class UploadForm(forms.Form):
    """The fields are those of `ml/models/upload`: with a script the page sends them there, without one here."""

    file = forms.FileField(label="Model file", help_text="LightGBM's text form, as Booster.save_model writes it")
    metadata = forms.FileField(label="Metadata", help_text="The metadata.json that train_model writes beside it")
    model_name = forms.CharField(label="Name", max_length=80)
    model_version = forms.CharField(label="Version", max_length=40)
    model_type = forms.ChoiceField(label="Type", choices=[(kind.value, kind.value) for kind in ModelType])
    trained_until_date = forms.DateField(
        label="Trained until", widget=forms.DateInput(attrs={"type": "date"}), help_text="The last day of its data"
    )

    def clean_metadata(self) -> dict[str, Any]:
        sent: UploadedFile = self.cleaned_data["metadata"]
        if (sent.size or 0) > METADATA_LIMIT_MIB * 2**20:
            raise ValidationError(f"At most {METADATA_LIMIT_MIB} MiB.")
        try:
            found = json.loads(sent.read())
        except (ValueError, RecursionError) as wrong:
            raise ValidationError(f"This is no JSON: {wrong}") from wrong
        if not isinstance(found, dict):
            raise ValidationError("This is no JSON object.")
        return found

    def offered(self) -> Offered:
        said = self.cleaned_data
        return Offered(
            name=said["model_name"],
            version=said["model_version"],
            model_type=ModelType(said["model_type"]),
            trained_until=said["trained_until_date"],
            metadata=said["metadata"],
        )


class StatusForm(forms.Form):
    status = forms.ChoiceField(label="Status", choices=[(s.value, s.value.title()) for s in ModelStatus])
    reason = forms.CharField(label="Why", required=False, max_length=500)


class AssignForm(forms.Form):
    """Instances by their EC2 ids, or an account with a share of its instances."""

    kind = forms.ChoiceField(
        label="It", choices=[(AssignmentKind.SERVING.value, "judges"), (AssignmentKind.SHADOW.value, "runs in shadow")]
    )
    instances = forms.CharField(
        label="Instances", required=False, max_length=30_000, help_text="Their ids, i-…, with spaces between"
    )
    account = forms.ModelChoiceField(
        AwsAccount.objects.none(), label="Or a share of an account", required=False, empty_label="None"
    )
    share_percent = forms.FloatField(
        label="Share in per cent", required=False, min_value=0.1, max_value=100, help_text="Drawn by hash, for good"
    )

    def __init__(self, data: Any, *, accounts: QuerySet[AwsAccount], instances: QuerySet[Instance]) -> None:
        super().__init__(data)
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]
        self._instances = instances

    def clean_instances(self) -> list[Instance]:
        ids = set(self.cleaned_data["instances"].replace(",", " ").split())
        if len(ids) > MOST_INSTANCES:
            raise ValidationError(f"At most {MOST_INSTANCES} at once.")
        found = list(self._instances.filter(instance_id__in=ids)) if ids else []
        if missing := sorted(ids - {each.instance_id for each in found}):
            raise ValidationError(f"Not there, or not yours: {', '.join(missing[:5])}")
        return found

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if self.errors:
            return said
        if bool(said["instances"]) == bool(said["account"]):
            raise ValidationError("Name instances, or choose an account and a share of it.")
        if said["account"] and not said["share_percent"]:
            raise ValidationError("How large a share of the account?")
        return said
