"""Does each limit say what it is to a person, and is what a person types read back as it was?"""

import pytest

from governance.domain.limits import ALWAYS, LIMITS, canonical, faults, shown, typed
from governance.domain.policy import READERS, Policy, PolicyError, as_overrides

WINDOW = {"begins": "22:00:00", "ends": "06:00:00", "weekdays": ["sat", "sun"], "time_zone": "Europe/Paris"}
EVERY = as_overrides(Policy())


def test_every_limit_has_a_name_for_people_and_nothing_else_has():
    assert set(LIMITS) == set(READERS)
    names = [(limit.label, limit.unit) for limit in LIMITS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", list(READERS))
def test_a_default_is_typed_as_it_is_shown(name):
    text = shown(LIMITS[name], EVERY[name])
    assert canonical({name: typed(LIMITS[name], text)}) == {name: EVERY[name]} or text == ""


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("min_savings_percent", "12.50", "12.50"),
        ("max_pool_share", "0.25", 0.25),
        ("cool_down_hours", "2", 2.0),
        ("min_zones", " 2 ", 2),
        ("are_commitments_declared", "true", True),
        ("infrastructure_tags", "terraform, pulumi:stack", ["terraform", "pulumi:stack"]),
        ("min_evidence", "trace", "trace"),
        ("change_window", "22:00-06:00 sat sun Europe/Paris", WINDOW),
        ("change_window", ALWAYS, None),
    ],
)
def test_what_is_typed_is_what_is_stored_and_shown_again(name, text, value):
    stored = canonical({name: typed(LIMITS[name], text)})
    assert stored == {name: value}
    assert canonical({name: typed(LIMITS[name], shown(LIMITS[name], stored[name]))}) == stored


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("min_zones", "many", "min_zones is 'many', not a whole number"),
        ("min_zones", "2.5", "min_zones is 2.5, not a whole number"),
        ("max_pool_share", "nan", "not a number"),
        ("max_pool_share", "1e400", "not a number"),
        ("max_pool_share", "20", "not between 0 and 1"),
        ("are_commitments_declared", "maybe", "neither true nor false"),
        ("change_window", "at night", "not a window"),
        ("change_window", "25:00-06:00", "change_window is"),
        ("change_window", "22:00-06:00 Mars/Olympus", "Mars/Olympus"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(name, text, said):
    assert said in faults({name: typed(LIMITS[name], text)})[name]


@pytest.mark.parametrize("acting", ["ask", "auto"])
def test_what_would_act_is_refused_while_nothing_can(acting):
    assert "Nothing can act yet" in faults({"acting": acting})["acting"]
    assert not faults({"acting": "shadow"})


def test_what_has_faults_has_no_canonical_spelling():
    with pytest.raises(PolicyError):
        canonical({"min_zones": 0})
