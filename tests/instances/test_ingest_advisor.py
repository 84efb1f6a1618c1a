"""Is the Advisor's file taken when it can be believed, and left alone when not?"""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest

from accounts.aws.read.advisor import BANDS, AdvisorFile, AdvisorMalformed, AdvisorUnavailable, NotModified
from instances import models
from instances.market import quotes
from instances.market.ingest import accept_advisor, fetch_advisor
from instances.models import FetchOutcome, SpotAdvisorRating
from tests.factories import NOW

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def a_file(etag: str | None = None, **ratings: Any) -> AdvisorFile:
    """A file that rates m5.<name> in us-east-1 by (band, savings)."""
    types = {f"m5.{name}": {"r": band, "s": savings} for name, (band, savings) in ratings.items()}
    ranges = [{"index": i, "label": label} for i, label in enumerate(BANDS)]
    raw = json.dumps({"ranges": ranges, "spot_advisor": {"us-east-1": {"Linux": types}}}).encode()
    return AdvisorFile(raw, hashlib.sha256(raw).hexdigest(), etag, None)


def fetch(file, now=NOW):
    """Fetch from a source that sends the file; its etag is known to it."""
    asked = []

    def read(etag):
        asked.append(etag)
        if isinstance(file, Exception):
            raise file
        return NotModified(etag) if etag and etag == file.etag else file

    result = fetch_advisor(now, read=read)
    result.asked = asked
    return result


def current() -> dict[str, tuple[int, int]]:
    return {name: (rating.band, rating.savings_percent) for name, rating in quotes.ratings("us-east-1").items()}


TEN: dict[str, Any] = {f"x{n}": (0, 50) for n in range(10)}


def test_the_first_file_fills_the_ratings_and_is_kept_as_bytes():
    file = a_file(large=(1, 60), xlarge=(4, -5))
    result = fetch(file)
    assert (result.outcome, result.rows, result.written) == (FetchOutcome.FILLED, 2, 2)
    assert current() == {"m5.large": (1, 60), "m5.xlarge": (4, -5)}
    kept = models.AdvisorFile.objects.get(sha256=file.sha256)
    assert bytes(kept.raw) == file.raw
    assert quotes.ratings("us-east-1")["m5.large"].file_sha256 == file.sha256


def test_the_same_bytes_again_are_unchanged_but_fresh():
    fetch(a_file(**TEN))
    result = fetch(a_file(**TEN), NOW + HOUR)
    assert (result.outcome, result.written) == (FetchOutcome.UNCHANGED, 0)
    assert quotes.ratings("us-east-1")["m5.x0"].fetched_at == NOW + HOUR
    assert SpotAdvisorRating.objects.count() == 10


def test_the_source_is_asked_with_the_etag_of_the_file_that_holds():
    file = a_file('"one"', **TEN)
    assert fetch(file).asked == [None]
    for hours in (1, 2):
        again = fetch(file, NOW + hours * HOUR)
        assert (again.asked, again.outcome) == (['"one"'], FetchOutcome.UNCHANGED)


def test_a_changed_rating_is_a_new_row_and_the_old_one_stays_as_history():
    fetch(a_file(**TEN))
    fetch(a_file(**TEN | {"x0": (2, 50), "new": (3, 1)}), NOW + HOUR)
    assert current()["m5.x0"] == (2, 50)
    assert current()["m5.new"] == (3, 1)
    old, new = SpotAdvisorRating.objects.filter(instance_type="m5.x0").order_by("observed_at")
    assert (old.band, old.superseded_at, new.band, new.superseded_at) == (0, NOW + HOUR, 2, None)


def test_a_type_that_is_no_longer_rated_has_no_rating():
    fetch(a_file(**TEN))
    fetch(a_file(**{name: rating for name, rating in TEN.items() if name != "x3"}), NOW + HOUR)
    assert "m5.x3" not in current()


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b'{"ranges": [', b"\xff\xfe", a_file(**TEN).raw[:-7], a_file(x0=(7, 50)).raw, a_file(x0=(0, 500)).raw],
)
def test_a_malformed_file_is_refused_and_the_old_ratings_stay(raw):
    fetch(a_file(**TEN))
    result = fetch(AdvisorFile(raw, hashlib.sha256(raw).hexdigest(), None, None), NOW + HOUR)
    assert result.outcome == FetchOutcome.REFUSED
    assert result.detail.startswith("malformed: ")
    assert current() == {f"m5.{name}": rating for name, rating in TEN.items()}
    assert quotes.ratings("us-east-1")["m5.x0"].fetched_at == NOW


@pytest.mark.parametrize("error", [AdvisorUnavailable("answered 503"), AdvisorUnavailable("timed out")])
def test_no_answer_is_a_failure(error):
    result = fetch(error)
    assert (result.outcome, result.detail) == (FetchOutcome.FAILED, f"AdvisorUnavailable: {error}")


def test_a_broken_compression_is_a_refusal():
    assert fetch(AdvisorMalformed("broken gzip")).outcome == FetchOutcome.REFUSED


SUDDEN = {"x0": (4, 50), "x1": (4, 50), "x2": (0, 10), "x3": (1, 50)}  # a jump in savings counts too


def test_more_than_30_percent_changing_at_once_waits_for_a_person():
    fetch(a_file(**TEN))
    different = a_file('"two"', **TEN | SUDDEN)
    result = fetch(different, NOW + HOUR)
    assert result.outcome == FetchOutcome.REFUSED
    assert result.detail.startswith("4 of 10 ratings (40%) change suddenly")
    assert f"--accept {different.sha256}" in result.detail
    assert current()["m5.x0"] == (0, 50)
    assert fetch(different, NOW + 2 * HOUR).outcome == FetchOutcome.REFUSED  # it goes on waiting

    accepted = accept_advisor(different.sha256, NOW + 3 * HOUR)
    assert (accepted.outcome, accepted.written) == (FetchOutcome.FILLED, 4)
    assert current()["m5.x0"] == (4, 50)
    assert quotes.ratings("us-east-1")["m5.x0"].fetched_at == NOW + 2 * HOUR  # as old as when it came
    again = fetch(different, NOW + 4 * HOUR)
    assert (again.asked, again.outcome) == (['"two"'], FetchOutcome.UNCHANGED)


def test_exactly_30_percent_or_small_moves_of_savings_are_taken():
    fetch(a_file(**TEN))
    moved = dict.fromkeys(TEN, (0, 50 + 20)) | {"x0": (1, 50), "x1": (1, 50), "x2": (1, 50)}
    assert fetch(a_file(**moved), NOW + HOUR).outcome == FetchOutcome.FILLED


def test_a_file_that_loses_most_types_waits_for_a_person():
    fetch(a_file(**TEN))
    assert fetch(a_file(x0=(0, 50)), NOW + HOUR).outcome == FetchOutcome.REFUSED


def test_after_an_older_file_was_accepted_the_whole_file_is_asked_for_again():
    fetch(a_file(**TEN))
    older, newer = a_file('"two"', **TEN | SUDDEN), a_file('"three"', **TEN | SUDDEN | {"x9": (4, 4)})
    fetch(older, NOW + HOUR)
    fetch(newer, NOW + 2 * HOUR)
    accept_advisor(older.sha256, NOW + 3 * HOUR)
    assert fetch(newer, NOW + 4 * HOUR).asked == [None]
    assert current()["m5.x9"] == (4, 4)  # one of ten: an ordinary change by now


def test_only_a_kept_file_can_be_accepted():
    with pytest.raises(models.AdvisorFile.DoesNotExist):
        accept_advisor("0" * 64, NOW)
