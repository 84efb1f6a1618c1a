"""What may a person say about an instance on its page, and how does it stand in the form?"""

from __future__ import annotations

from typing import Any

from django import forms

from instances.models import Instance, PipelineMode
from mlregistry.models import ModelVersion
from pipelines.instance_settings import assignable

MODES = {
    PipelineMode.LINEAR: "Linear: a machine by itself",
    PipelineMode.CLUSTER: "Cluster: a member of its Auto Scaling group",
    PipelineMode.KUBERNETES: "Kubernetes: a node",
}


class SettingsForm(forms.Form):
    """All settings of the instance, as `pipelines.instance_settings.change` takes them."""

    pipeline_mode = forms.ChoiceField(label="Pipeline", choices=[(m.value, label) for m, label in MODES.items()])
    assigned_model = forms.TypedChoiceField(label="Model", required=False, coerce=int, empty_value=None)
    health_port = forms.IntegerField(
        label="Health port", required=False, min_value=1, max_value=65535, help_text="Where it says that it is well"
    )
    health_path = forms.CharField(
        label="Health path", required=False, max_length=200, strip=True, help_text="Answers 200, such as /health"
    )
    stateless = forms.BooleanField(label="I state this, by my name", required=False)
    settings_version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Any, *, instance: Instance, held: ModelVersion | None) -> None:
        initial = {
            "pipeline_mode": instance.pipeline_mode,
            "assigned_model": held.pk if held else None,
            "health_port": instance.health_port,
            "health_path": instance.health_path,
            "stateless": bool(instance.stateless_said_by),
            "settings_version": instance.settings_version,
        }
        super().__init__(data, initial=initial, prefix="settings")
        models = {model.pk: f"{model} ({model.status})" for model in assignable()}
        if held is not None:  # also one that nobody may choose any more
            models.setdefault(held.pk, f"{held} ({held.status})")
        choices = [("", "The active one"), *models.items()]
        self.fields["assigned_model"].choices = choices  # type: ignore[attr-defined]

    def refuse(self, faults: dict[str, str]) -> None:
        """Put what the deed refused beside its field."""
        for field, fault in faults.items():
            self.add_error(field if field in self.fields else None, fault)
