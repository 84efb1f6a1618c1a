"""Where does an address lead? Pages, /api/v1/, the admin, probes."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from accounts.api import urls as accounts_api
from accounts.views.sign_in import admin_sign_in
from governance.api import urls as governance_api
from instances.api import urls as instances_api
from mlregistry.api import urls as mlregistry_api
from pipelines.api import urls as pipelines_api
from spotopt import probes, problems
from spotopt.prometheus import Scrape
from spotopt.schema import Docs, Index, Schema

api: list[URLPattern | URLResolver] = [
    path("", Index.as_view(), name="api"),
    path("schema/", Schema.as_view(), name="schema"),
    path("docs/", Docs.as_view(), name="docs"),
    path("auth/", include((accounts_api.auth, "auth"))),
    path("ml/", include((instances_api.ml + mlregistry_api.ml + pipelines_api.ml, "ml"))),
    path("lab/", include((accounts_api.lab + instances_api.lab + mlregistry_api.lab + pipelines_api.lab, "lab"))),
    path("governance/", include((governance_api.governance, "governance-api"))),
    path("system/", include((governance_api.system, "system-api"))),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("pipelines.urls")),
    path("", include("accounts.urls")),
    path("", include("instances.urls")),
    path("", include("mlregistry.urls")),
    path("", include("governance.urls")),
    path("api/v1/", include(api)),
    re_path(r"^api/", problems.unknown_route),
    path(f"{settings.ADMIN_PATH}login/", admin_sign_in),
    path(settings.ADMIN_PATH, admin.site.urls),
    path("healthz", probes.alive, name="healthz"),
    path("readyz", probes.ready, name="readyz"),
    path("metrics", Scrape.as_view(), name="metrics"),
]

handler400 = problems.page_bad
handler403 = problems.page_denied
handler404 = problems.page_not_found
handler500 = problems.page_failed
