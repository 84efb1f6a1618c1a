"""Does the guide for operators tell of every page, and does it say how old things are as the timetable does?"""

import re
from pathlib import Path

import pytest
from django.conf import settings

from spotopt.timetable import TIMETABLE
from tests.architecture.addresses import PARAMETER, routes

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "operators.md").read_text()
PAGES = [
    "/" + PARAMETER.sub(r"<\1>", route.template)
    for route in routes()
    if not route.template.startswith(("api/", settings.ADMIN_PATH))
]


@pytest.mark.parametrize("page", PAGES)
def test_it_tells_of_every_page(page):
    assert f"`{page}`" in GUIDE, f"say in docs/operators.md what {page} shows, and who may press what"


@pytest.mark.parametrize("words, task", [("Inventory", "sync_all_accounts"), ("Spot prices", "refresh_all_spot")])
def test_its_ages_are_the_timetables(words, task):
    [entry] = [entry for entry in TIMETABLE if entry.task.endswith(task)]
    minutes = int(entry.every.total_seconds() // 60)
    assert re.search(rf"^\| {words}.*\| every {minutes} minutes", GUIDE, re.MULTILINE)
