"""The table of ./run demo --once."""

from spotopt.local import decisions


def a_row(**changed):
    row = {
        "decision": "STAY",
        "account": "northwind-prod",
        "name": "api-1",
        "type": "m5.large",
        "target": None,
        "saves_usd_per_month": None,
        "reason": "Stay: it already runs on Spot.",
    }
    return row | changed


def test_columns_line_up_and_what_is_unknown_is_empty():
    lines = decisions.table(
        [a_row(), a_row(decision="SWITCH", target="m5d.large euw3-az1", saves_usd_per_month="58.43")]
    )
    heading, stay, switch = lines.split("\n")
    assert heading.split() == list(decisions.COLUMNS)
    assert stay.index("Stay:") == switch.index("Stay:") == heading.index("reason")
    assert "None" not in stay
    assert switch[heading.index("saves") :].startswith("58.43 ")


def test_a_long_reason_is_cut_and_says_so():
    line = decisions.table([a_row(reason="because " * 40)]).split("\n")[1]
    assert line.endswith("…")
    assert len(line) < 200


def test_no_instance_is_a_heading_alone():
    assert decisions.table([]).split() == list(decisions.COLUMNS)
