"""Can runs and decisions be read in the admin, and by no means changed?"""

import pytest

from pipelines import linear
from tests.factories import NOW, a_person
from tests.pipelines.worlds import a_plain_instance, a_scored_market

pytestmark = pytest.mark.django_db


def test_runs_and_receipts_are_read_only(client):
    client.force_login(a_person("root", is_staff=True, is_superuser=True))
    a_scored_market()
    run = linear.evaluate(a_plain_instance(), now=NOW)
    for kind, pk in (("pipelinerun", run.pk), ("experimentlog", run.experiment.pk)):
        assert client.get(f"/admin/pipelines/{kind}/").status_code == 200
        assert client.get(f"/admin/pipelines/{kind}/?q=web").status_code == 200
        assert client.get(f"/admin/pipelines/{kind}/{pk}/change/").status_code == 200
        assert client.post(f"/admin/pipelines/{kind}/{pk}/delete/", {"post": "yes"}).status_code == 403
        assert client.get(f"/admin/pipelines/{kind}/add/").status_code == 403
    page = client.get(f"/admin/pipelines/experimentlog/{run.experiment.pk}/change/").content.decode()
    assert "m5a.large in use1-az2" in page
    assert client.get("/admin/pipelines/enginedecision/").status_code == 200
