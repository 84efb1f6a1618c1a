"""The settings on an instance's page: kept by htmx and without, refused beside the field, read by whoever may look."""

import pytest

from accounts.domain import Role
from accounts.models import AuditEntry
from instances.models import Instance
from mlregistry.models import ModelStatus
from tests.factories import NOW, a_browser, a_model, a_person, alice, an_instance, bob, charlie, northwind

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def send(client, instance, seen=0, *, htmx=True, **typed):
    form = {"pipeline_mode": "LINEAR", "health_port": "", "health_path": "", "assigned_model": ""} | typed
    form = {f"settings-{name}": value for name, value in {**form, "settings_version": seen}.items()}
    return client.post(f"/instances/{instance.pk}/settings/", form, headers=HTMX if htmx else {})


def test_the_instance_loads_its_settings_as_a_part():
    instance, client = an_instance(), a_browser(alice())
    assert f'hx-get="/instances/{instance.pk}/settings/"' in client.get(f"/instances/{instance.pk}/").content.decode()
    part = client.get(f"/instances/{instance.pk}/settings/", headers=HTMX).content.decode()
    assert part.strip().startswith("<section")
    assert "Keep these settings" in part
    whole = client.get(f"/instances/{instance.pk}/settings/").content.decode()
    assert whole.startswith("<!doctype html>")


def test_what_is_typed_is_kept_and_shown_again_by_itself():
    instance, client = an_instance(), a_browser(alice())
    model = a_model("careful", status=ModelStatus.GRADUATED.value)
    typed = {"health_port": "80", "health_path": "/up", "stateless": "on", "assigned_model": model.pk}
    part = send(client, instance, **typed).content.decode()
    assert "Kept." in part
    assert "said by alice on" in part
    assert f'<option value="{model.pk}" selected>' in part
    row = Instance.objects.get()
    assert (row.health_port, row.health_path, row.stateless_said_by) == (80, "/up", "alice")
    assert 'name="settings-settings_version" value="1"' in part
    send(client, instance, seen=1, **{k: v for k, v in typed.items() if k != "stateless"})
    part = client.get(f"/instances/{instance.pk}/settings/", headers=HTMX).content.decode()
    assert "withdrew the statement of alice" in part
    assert AuditEntry.objects.filter(subject=f"instance/{instance.pk}").count() == 4


def test_without_a_script_the_page_comes_back():
    instance = an_instance()
    answer = send(a_browser(alice()), instance, htmx=False, health_port="80", health_path="/up")
    assert (answer.status_code, answer["Location"]) == (302, f"/instances/{instance.pk}/")


@pytest.mark.parametrize(
    "typed, field, said",
    [
        ({"health_port": "70000", "health_path": "/"}, "health_port", "less than or equal to 65535"),
        ({"health_port": "80", "health_path": "up"}, "health_path", "A path begins with /"),
        ({"health_port": "80"}, "health_path", "such as /health"),
        ({"pipeline_mode": "CLUSTER"}, "pipeline_mode", "in no Auto Scaling group"),
        ({"assigned_model": "0"}, "assigned_model", "not one of the available choices"),
    ],
)
def test_what_cannot_be_kept_is_said_beside_its_field(typed, field, said):
    part = send(a_browser(alice()), an_instance(), **typed).content.decode()
    beside = part[part.index(f'for="id_settings-{field}"') :]
    assert said in beside[: beside.index("</div>")]
    assert "Nothing was changed." in part
    assert not AuditEntry.objects.exists()


def test_a_model_that_may_not_serve_there_is_refused_beside_its_field():
    model = a_model("raw")
    part = send(a_browser(alice()), an_instance(), assigned_model=model.pk, health_port=80, health_path="/up")
    assert "only a graduated model serves in PROD" in part.content.decode()
    assert Instance.objects.get().health_port is None


def test_whoever_was_overtaken_is_told_by_whom():
    instance = an_instance()
    send(a_browser(alice()), instance, health_port="80", health_path="/up")
    admin = a_browser(a_person("andrea", organization=northwind(), role=Role.ADMIN))
    part = send(admin, instance, health_port="81", health_path="/up").content.decode()
    assert "alice changed these settings" in part
    assert Instance.objects.get().health_port == 80


def test_a_viewer_reads_settings_and_a_stranger_finds_none():
    instance = an_instance(health_port=80, health_path="/up")
    part = a_browser(bob()).get(f"/instances/{instance.pk}/settings/", headers=HTMX).content.decode()
    assert ":80/up" in part
    assert "<form" not in part
    assert send(a_browser(bob()), instance).status_code == 403
    assert send(a_browser(charlie()), instance).status_code == 404


def test_what_vanished_is_read_and_not_changed():
    instance = an_instance(vanished_at=NOW)
    part = send(a_browser(alice()), instance, health_port="80", health_path="/up").content.decode()
    assert "no longer saw" in part
    assert "<form" not in part
    assert Instance.objects.get().health_port is None


def test_the_part_asks_few_questions_however_many_models_there_are(django_assert_max_num_queries):
    instance, client = an_instance(), a_browser(alice())
    for _ in range(10):
        a_model(status=ModelStatus.GRADUATED.value)
    with django_assert_max_num_queries(12):
        client.get(f"/instances/{instance.pk}/settings/")
