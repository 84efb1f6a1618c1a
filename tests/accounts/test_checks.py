"""Is what is wrong with an installation said at its start, with what to do?"""

from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from accounts import checks


def ids(messages) -> list[str]:
    return [message.id for message in messages]


@pytest.mark.django_db
def test_this_installation_starts():
    call_command("check", databases=["default"])


@pytest.mark.django_db
def test_a_clock_that_drifts_from_the_databases_is_refused():
    for drift, expected in ((50, []), (70, ["accounts.E005"]), (-70, ["accounts.E005"])):
        with time_machine.travel(timezone.now() + timedelta(seconds=drift)):
            assert ids(checks.clocks_agree(None, ["default"])) == expected
    assert checks.clocks_agree(None, None) == []


@pytest.mark.django_db
def test_the_role_that_serves_may_not_rewrite_the_audit_log():
    assert checks.the_audit_is_closed(None, ["default"]) == []


def test_a_missing_libgomp_is_said_with_how_to_install_it(monkeypatch):
    assert checks.lightgbm_can_load(None) == []

    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(checks.ctypes, "CDLL", missing)
    [message] = checks.lightgbm_can_load(None)
    assert message.id == "accounts.E003"
    assert "apt-get install -y libgomp1" in message.hint


@pytest.mark.parametrize(
    "name, value", [("ADMIN_PATH", "admin"), ("ADMIN_PATH", "/admin/"), ("INSTALLATION_ACCOUNT_ID", "12")]
)
def test_a_setting_that_cannot_be_meant_is_refused(settings, name, value):
    setattr(settings, name, value)
    [message] = checks.settings_make_sense(None)
    assert message.id == "accounts.E004"
    assert value in message.msg


def test_a_rate_that_is_none_is_refused(settings):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {"caller": "many"}}
    assert ids(checks.settings_make_sense(None)) == ["accounts.E004"]
