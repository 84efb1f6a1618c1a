"""Does the browsable schema work in a real browser under the content policy that forbids inline scripts?"""

import pytest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


def test_the_docs_page_draws_the_schema_without_breaking_the_policy(live_server, browser):
    page = browser.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{live_server.url}/api/v1/docs/")
    page.get_by_text("/api/v1/lab/instances", exact=False).first.wait_for(timeout=60_000)
    page.get_by_text("/api/v1/ml/predict", exact=False).first.click()
    assert page.get_by_text("/api/v1/lab/runs/{run_id}", exact=False).count()
    page.close()
    assert not complaints
