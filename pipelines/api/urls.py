"""Addresses under `lab/` and `ml/` that this app answers."""

from django.urls import path

from pipelines.api import decisions, evaluation, experiments, instances, metrics, overview, runs

lab = [
    path("instances", instances.InstanceList.as_view(), name="instances"),
    path("instances/<int:instance_id>", instances.InstanceDetail.as_view(), name="instance"),
    path("instances/<int:instance_id>/evaluate", evaluation.Evaluation.as_view(), name="evaluate"),
    path(
        "instances/<int:instance_id>/experiments",
        instances.InstanceExperiments.as_view(),
        name="instance-experiments",
    ),
    path("experiments", experiments.ExperimentList.as_view(), name="experiments"),
    path("experiments/compare", experiments.ExperimentComparison.as_view(), name="compare"),
    path("experiments/<uuid:experiment_id>", experiments.ExperimentDetail.as_view(), name="experiment"),
    path("overview", overview.Overview.as_view(), name="overview"),
    path("runs/<uuid:run_id>", runs.RunDetail.as_view(), name="run"),
]

ml = [
    path("metrics", metrics.Metrics.as_view(), name="metrics"),
    path("decision/spot-optimize", decisions.SpotOptimize.as_view(), name="spot-optimize"),
    path("decisions/history", decisions.DecisionHistory.as_view(), name="decisions"),
    path("decisions/<uuid:execution_id>", decisions.DecisionDetail.as_view(), name="decision"),
]
