"""Addresses under `ml/` and `lab/` that this app answers."""

from django.urls import path

from mlregistry.api import lab as lab_views
from mlregistry.api import models, predictions, views

ml = [
    path("predict", views.Predict.as_view(), name="predict"),
    path("predict/spot-interruption", views.PredictSpotInterruption.as_view(), name="predict-spot-interruption"),
    path("models/list", views.ModelList.as_view(), name="models"),
    path("models/upload", models.Upload.as_view(), name="model-upload"),
    path("models/activate", models.Activate.as_view(), name="model-activate"),
    path("models/<int:model_id>", models.Model.as_view(), name="model"),
    path("models/<int:model_id>/details", models.Details.as_view(), name="model-details"),
    path("models/<int:model_id>/performance", models.Performance.as_view(), name="model-performance"),
    path("models/<int:model_id>/download", models.Download.as_view(), name="model-download"),
    path("predictions/history", predictions.PredictionHistory.as_view(), name="predictions"),
    path("health", views.Health.as_view(), name="health"),
]

lab = [
    path("models", lab_views.LabModelList.as_view(), name="models"),
    path("models/<int:model_id>/status", lab_views.Status.as_view(), name="model-status"),
    path("models/<int:model_id>/assign", lab_views.Assign.as_view(), name="model-assign"),
    path("models/<int:model_id>/unassign", lab_views.Unassign.as_view(), name="model-unassign"),
]
