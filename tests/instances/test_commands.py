"""Do the commands say how a fetch ended, and exit badly when it ended badly?"""

import gzip
import json
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from django.core.management import CommandError, call_command

from accounts.aws.read.advisor import BANDS
from accounts.aws.session import forget_all
from instances.market import quotes
from instances.models import AdvisorFile, FetchSource
from tests.factories import NOW, a_fetch, an_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_cloud(monkeypatch, settings):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    settings.MARKET_REGIONS = ["us-east-1"]
    forget_all()
    yield
    forget_all()


class Site(BaseHTTPRequestHandler):
    """A place that serves the Advisor's file."""

    def __init__(self, body: list[bytes], *arguments):
        self.body = body
        super().__init__(*arguments)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(gzip.compress(self.body[0]))

    def log_message(self, *_):
        pass


@pytest.fixture
def advisor(settings):
    """The Advisor's site; `advisor[0]` is the file it serves."""
    body = [b""]
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, body))
    Thread(target=server.serve_forever, daemon=True).start()
    settings.SPOT_ADVISOR_URL = f"http://127.0.0.1:{server.server_port}/spot-advisor-data.json"
    yield body
    server.shutdown()
    server.server_close()


def a_file(band: int) -> bytes:
    types = {f"m5.x{n}": {"r": band, "s": 50} for n in range(4)}
    ranges = [{"index": i, "label": label} for i, label in enumerate(BANDS)]
    return json.dumps({"ranges": ranges, "spot_advisor": {"us-east-1": {"Linux": types}}}).encode()


def test_a_refused_advisor_file_is_accepted_by_its_digest(advisor, capsys):
    advisor[0] = a_file(0)
    call_command("fetch_advisor")
    assert "advisor: filled" in capsys.readouterr().out
    advisor[0] = a_file(3)
    with pytest.raises(CommandError, match="--accept"):
        call_command("fetch_advisor")
    waiting = AdvisorFile.objects.latest("fetched_at").sha256
    assert waiting in capsys.readouterr().out
    call_command("fetch_advisor", "--accept", waiting)
    assert quotes.ratings("us-east-1")["m5.x0"].band == 3


def test_accepting_what_is_not_kept_says_so():
    with pytest.raises(CommandError, match="No Advisor file with the SHA-256 abc"):
        call_command("fetch_advisor", "--accept", "abc")


@pytest.mark.parametrize("name", ["fetch_prices", "fetch_on_demand", "fetch_catalogue"])
def test_a_source_that_does_not_answer_is_a_bad_exit(no_cloud, name):
    with pytest.raises(CommandError, match="did not end well; the first: OutcomeUnknown"):
        call_command(name)


def test_a_range_is_fetched_again_by_its_two_ends(no_cloud):
    a_fetch(FetchSource.SPOT, "us-east-1")
    with pytest.raises(CommandError, match="belong together"):
        call_command("fetch_prices", "--since", "2026-11-01")
    with pytest.raises(CommandError, match="is no range before"):
        call_command("fetch_prices", "--since", "2026-11-01", "--until", "2026-12-01")
    with pytest.raises(CommandError, match="OutcomeUnknown"):
        call_command("fetch_prices", "--since", "2026-11-01", "--until", (NOW - timedelta(days=1)).isoformat())


def test_an_account_that_cannot_be_entered_is_named(no_cloud, capsys):
    account = an_account(read_role_arn="")
    with pytest.raises(CommandError, match="1 of 1 accounts were not mirrored whole"):
        call_command("sync_inventory", "--account", account.account_id)
    assert "us-east-1: Denied" in capsys.readouterr().out


def test_an_unknown_account_is_a_clear_error():
    with pytest.raises(CommandError, match="123456789012 is no active account"):
        call_command("sync_inventory", "--account", "123456789012")
