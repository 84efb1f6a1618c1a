"""Addresses under `ml/` that this app answers."""

from django.urls import path

from mlregistry.api import views

ml = [
    path("predict", views.Predict.as_view(), name="predict"),
    path("predict/spot-interruption", views.PredictSpotInterruption.as_view(), name="predict-spot-interruption"),
    path("models/list", views.ModelList.as_view(), name="models"),
    path("health", views.Health.as_view(), name="health"),
]
