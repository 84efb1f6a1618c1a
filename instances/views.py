"""Pages of the market: what does a type cost, here and there, now and before?"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.authentication import caller_of, signed_in
from accounts.ownership import owned
from instances.market import explorer
from instances.market.explorer import PricesForm
from instances.models import ZoneName


@require_GET
@signed_in()
def prices(request: HttpRequest) -> HttpResponse:
    """One type in one region, its zones' Spot prices beside On-Demand, and its family elsewhere; by the address."""
    form = PricesForm(request.GET)
    wanted = form.wanted()
    names = owned(ZoneName, caller_of(request)).filter(region=wanted.region)
    explored = explorer.explore(wanted, names=names, now=timezone.now())
    return render(request, "instances/prices.html", {"section": "prices", "form": form, "market": explored})
