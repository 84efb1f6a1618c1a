"""Addresses under `lab/` and `ml/` that this app answers."""

from django.urls import path

from pipelines.api import experiments, instances, runs

lab = [
    path("instances", instances.InstanceList.as_view(), name="instances"),
    path("instances/<int:instance_id>", instances.InstanceDetail.as_view(), name="instance"),
    path(
        "instances/<int:instance_id>/experiments", instances.InstanceExperiments.as_view(), name="instance-experiments"
    ),
    path("experiments", experiments.ExperimentList.as_view(), name="experiments"),
    path("experiments/compare", experiments.ExperimentComparison.as_view(), name="compare"),
    path("experiments/<uuid:experiment_id>", experiments.ExperimentDetail.as_view(), name="experiment"),
    path("runs/<uuid:run_id>", runs.RunDetail.as_view(), name="run"),
]
