"""Where does an address lead? Pages, /api/v1/, /admin/, /healthz."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
