"""What a program is told about launches: from scores, live, or honestly nothing."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import keys
from accounts.domain import Scope
from instances.models import OnDemandPrice, SpotAdvisorRating
from mlregistry import scoring
from mlregistry.api import bodies
from mlregistry.models import PoolScore, Prediction
from tests import factories
from tests.factories import NOW
from tests.mlregistry.a_market import TYPES, ZONES, a_market, a_registered_model

pytestmark = pytest.mark.django_db

MANY, ONE = "/api/v1/ml/predict", "/api/v1/ml/predict/spot-interruption"
M5 = {"instance_type": "m5.large", "region": "us-east-1", "az": "use1-az1"}
P3 = {**M5, "instance_type": "p3.2xlarge"}


@pytest.fixture(autouse=True)
def _at_noon(time_machine):
    """NOW is the time of day everywhere."""
    time_machine.move_to(NOW, tick=False)


def a_key(*scopes: Scope, organization=None, platform: bool = False) -> dict[str, str]:
    owner = None if platform else organization or factories.northwind()
    _, text = keys.issue(owner, "core", scopes or (Scope.PREDICT,), by=None)
    return {"Authorization": f"Api-Key {text}"}


def post(path: str, body, headers: dict[str, str] | None = None):
    headers = a_key() if headers is None else headers
    return Client(headers=headers).post(path, json.dumps(body), content_type="application/json")


def a_scored_market(*, model: bool = False) -> None:
    a_market()
    if model:
        a_registered_model()
    scoring.score_region("us-east-1", now=NOW)


def faults(answer) -> list[str]:
    assert answer.status_code == 422, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    return [fault["pointer"] for fault in answer.json()["errors"]]


class TestOne:
    def test_the_score_is_answered_with_its_evidence_and_ages(self):
        a_scored_market()
        answer = post(ONE, M5).json()
        score = PoolScore.objects.get(pool__instance_type="m5.large", pool__zone_id="use1-az1")
        assert answer["interruption_probability"] == score.interruption_probability
        assert answer["confidence"] == 1 - (score.probability_high - score.probability_low)
        assert answer["safety_score"] == score.safety_score
        assert answer["evidence"] == "advisor"
        assert answer["recommendation"] == "LAUNCH"
        assert answer["explanation"]["advisor_band"] == "<5%"
        assert answer["explanation"]["contributions"] is None
        assert answer["data_as_of"]["spot_prices"] == "2026-11-18T12:00:00Z"
        assert answer["model"]["name"] == "advisor-baseline"

    def test_a_traced_family_is_explained_by_contributions(self):
        a_scored_market(model=True)
        answer = post(ONE, P3).json()
        assert answer["evidence"] == "trace"
        assert answer["explanation"]["contributions"]["calibrated"] == answer["interruption_probability"]
        assert answer["model"]["version"] == "1"

    def test_an_unsafe_pool_is_to_be_avoided(self):
        a_scored_market()
        assert post(ONE, P3).json()["recommendation"] == "AVOID"

    def test_the_current_price_given_by_hand_changes_nothing(self):
        a_scored_market(model=True)
        score = PoolScore.objects.get(pool__instance_type="p3.2xlarge", pool__zone_id="use1-az1")
        asked = post(ONE, {**P3, "spot_price": f"{score.spot_usd_micro / 1e6:.6f}"}).json()
        assert asked["interruption_probability"] == score.interruption_probability

    def test_another_price_is_put_to_the_model_live(self):
        a_scored_market(model=True)
        stored = post(ONE, P3).json()
        live = post(ONE, {**P3, "spot_price": "3.05"}).json()
        before, after = (found["explanation"]["contributions"]["log_odds"] for found in (stored, live))
        assert before["price_position"] != after["price_position"]
        assert live["recommendation"] in {"LAUNCH", "AVOID"}

    def test_a_launch_tonight_is_judged_by_tonights_hour(self):
        a_scored_market(model=True)
        later = (NOW + timedelta(hours=9)).isoformat()
        assert post(ONE, {**P3, "launch_time": later}).status_code == 200

    def test_a_launch_next_year_cannot_be_judged(self):
        a_scored_market()
        assert faults(post(ONE, {**M5, "launch_time": "2027-11-18T12:00:00Z"})) == ["#/launch_time"]

    def test_what_was_predicted_is_kept_for_its_outcome(self):
        a_scored_market()
        answer = post(ONE, {**M5, "spot_price": "0.05"}).json()
        kept = Prediction.objects.get(pk=answer["prediction_id"])
        assert kept.organization == factories.northwind()
        assert kept.pool.instance_type == "m5.large"
        assert kept.inputs["spot_price"] == "0.05"
        assert kept.output["recommendation"] == answer["recommendation"]
        assert kept.probability == answer["interruption_probability"]
        assert kept.latency_ms > 0


class TestUnknown:
    @pytest.mark.parametrize(
        "asked", [{**M5, "instance_type": "z9.mega"}, {**M5, "az": "use1-az9"}, {**M5, "region": "eu-west-3"}]
    )
    def test_a_pool_never_seen_is_unknown_and_says_so(self, asked):
        a_scored_market()
        answer = post(ONE, asked)
        assert answer.status_code == 200
        assert answer.json()["recommendation"] == "UNKNOWN"
        assert answer.json()["interruption_probability"] is None
        assert "no Spot price of" in answer.json()["unknown"][0]

    def test_missing_data_is_named(self):
        a_market()
        OnDemandPrice.objects.filter(instance_type="p3.2xlarge").delete()
        SpotAdvisorRating.objects.filter(instance_type="m5.large").delete()
        a_registered_model()
        scoring.score_region("us-east-1", now=NOW)
        traced, unrated = post(ONE, P3).json(), post(ONE, M5).json()
        assert (traced["recommendation"], traced["unknown"]) == ("UNKNOWN", ["no On-Demand price"])
        assert (unrated["recommendation"], unrated["unknown"]) == ("UNKNOWN", ["no Advisor rating"])
        assert "no Advisor rating" in unrated["explanation"]["summary"]

    def test_a_score_whose_prices_grew_old_since_is_no_answer(self, time_machine):
        a_scored_market()
        time_machine.move_to(NOW + timedelta(hours=3), tick=False)
        answer = post(ONE, M5).json()
        assert answer["recommendation"] == "UNKNOWN"
        assert answer["unknown"] == ["Spot prices are 3.0 h old, at most 2 h"]

    def test_a_score_that_another_release_laid_out_is_not_read(self):
        a_scored_market()
        PoolScore.objects.update(layout=0)
        assert post(ONE, {**M5, "spot_price": "0.05"}).json()["recommendation"] == "UNKNOWN"

    def test_before_the_first_scoring_everything_is_unknown(self):
        a_market()
        assert post(ONE, M5).json()["recommendation"] == "UNKNOWN"

    def test_windows_is_not_scored_and_not_answered_with_the_linux_score(self):
        a_scored_market()
        assert post(ONE, {**M5, "product": "Windows"}).json()["recommendation"] == "UNKNOWN"

    def test_after_an_activation_the_new_model_answers_at_once(self):
        a_scored_market()
        a_registered_model()
        answer = post(ONE, P3).json()
        assert (answer["evidence"], answer["model"]["name"]) == ("trace", "for-tests")


class TestZones:
    def test_a_zone_name_is_read_as_the_accounts_own(self):
        a_scored_market()
        account = factories.an_account()
        factories.zones_of(account, us_east_1a="use1-az3")
        answer = post(ONE, {**M5, "az": "us-east-1a", "account_id": account.account_id}).json()
        assert (answer["zone_id"], answer["zone_name"]) == ("use1-az3", "us-east-1a")
        assert answer["recommendation"] == "LAUNCH"

    def test_a_zone_id_is_answered_with_the_accounts_name_for_it(self):
        a_scored_market()
        account = factories.an_account()
        factories.zones_of(account, us_east_1c="use1-az1")
        assert post(ONE, {**M5, "account_id": account.account_id}).json()["zone_name"] == "us-east-1c"

    def test_a_zone_name_without_an_account_is_refused(self):
        assert faults(post(ONE, {**M5, "az": "us-east-1a"})) == ["#/account_id"]

    def test_a_name_the_account_has_not_is_unknown(self):
        a_scored_market()
        account = factories.an_account()
        answer = post(ONE, {**M5, "az": "us-east-1f", "account_id": account.account_id}).json()
        assert answer["recommendation"] == "UNKNOWN"
        assert answer["unknown"] == ["the account has no zone us-east-1f that we know"]

    @pytest.mark.parametrize("az", ["use1-az1", "us-east-1a"])
    def test_a_strangers_account_is_not_there(self, az):
        account = factories.an_account(factories.southwind())
        factories.zones_of(account)
        body = {**M5, "az": az, "account_id": account.account_id}
        answer = post(ONE, body)
        assert answer.status_code == 404
        absent = post(ONE, {**body, "account_id": "999999999999"})
        assert answer.json() | {"request_id": ""} == absent.json() | {"request_id": ""}
        assert not Prediction.objects.exists()


class TestMany:
    def test_answers_come_in_the_order_of_the_inputs(self):
        a_scored_market(model=True)
        inputs = [P3, M5, {**M5, "instance_type": "z9.mega"}, {**P3, "spot_price": "1.5"}, M5]
        answer = post(MANY, {"prediction_type": "spot_interruption", "inputs": inputs}).json()
        assert [found["instance_type"] for found in answer["predictions"]] == [i["instance_type"] for i in inputs]
        assert [found["evidence"] for found in answer["predictions"]] == [
            "trace",
            "advisor",
            "none",
            "trace",
            "advisor",
        ]
        assert len({found["prediction_id"] for found in answer["predictions"]}) == 5

    def test_a_thousand_inputs_take_as_many_queries_as_two(self):
        a_scored_market(model=True)
        account = factories.an_account()
        factories.zones_of(account)
        headers = a_key()
        of_each = [
            {"instance_type": name, "region": "us-east-1", "az": zone_id, "account_id": account.account_id}
            for name in TYPES
            for zone_id in (*ZONES, "us-east-1a")
        ]
        priced = [{**asked, "spot_price": "0.5"} for asked in of_each]
        post(ONE, M5, headers)  # the key's first use is noted, once a minute
        counts = []
        for inputs in ([of_each[0], priced[-1]], [*of_each, *priced] * 25):
            with CaptureQueriesContext(connection) as queries:
                answer = post(MANY, {"prediction_type": "spot_interruption", "inputs": inputs}, headers)
            assert len(answer.json()["predictions"]) == len(inputs)
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 12

    @pytest.mark.parametrize("number", [0, 1001])
    def test_none_and_too_many_are_refused(self, number):
        assert faults(post(MANY, {"prediction_type": "spot_interruption", "inputs": [M5] * number})) == ["#/inputs"]

    @pytest.mark.parametrize("kind", ["resource_forecast", "price_forecast", "weather"])
    def test_another_type_says_which_there_are(self, kind):
        answer = post(MANY, {"prediction_type": kind, "inputs": [{"whatever": 1}]})
        assert faults(answer) == ["#/prediction_type"]
        assert "spot_interruption" in answer.json()["errors"][0]["detail"]

    def test_each_fault_is_pointed_at(self):
        inputs = [M5, {**M5, "regoin": "x"}, {**M5, "az": "nowhere"}, {**M5, "spot_price": "-1"}]
        assert faults(post(MANY, {"prediction_type": "spot_interruption", "inputs": inputs})) == [
            "#/inputs/1/regoin",
            "#/inputs/3/spot_price",
        ]
        inputs = [M5, {**M5, "az": "nowhere"}]
        assert faults(post(MANY, {"prediction_type": "spot_interruption", "inputs": inputs})) == ["#/inputs/1/az"]


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"spot_prise": "1"}, "#/spot_prise"),
            ({"instance_type": "m5"}, "#/instance_type"),
            ({"instance_type": None}, "#/instance_type"),
            ({"region": "moon"}, "#/region"),
            ({"az": "use1-az1\n"}, "#/az"),
            ({"spot_price": "0"}, "#/spot_price"),
            ({"spot_price": "NaN"}, "#/spot_price"),
            ({"spot_price": "1001"}, "#/spot_price"),
            ({"launch_time": "2026-11-18T12:00:00"}, "#/launch_time"),
            ({"account_id": "12"}, "#/account_id"),
            ({"product": "BeOS"}, "#/product"),
        ],
    )
    def test_a_bad_field_is_pointed_at(self, change, pointer):
        assert faults(post(ONE, {**M5, **change})) == [pointer]

    @pytest.mark.parametrize("body", [[], "text", 7, None, {}])
    def test_a_body_of_another_shape_is_refused(self, body):
        assert post(ONE, body).status_code == 422
        assert post(MANY, body).status_code == 422

    def test_five_megabytes_of_faults_get_a_short_answer(self):
        strange = {f"field-{number}": 1 for number in range(250_000)}
        for address, body in (
            (ONE, M5 | strange),
            (MANY, {"prediction_type": "spot_interruption", "inputs": [strange]}),
        ):
            answer = post(address, body)
            assert answer.status_code == 422
            assert len(answer.content) < 20_000
            assert answer.json()["errors"][-1]["detail"] == "There is more; these are the first 100."

    @pytest.mark.parametrize("price", ["NaN", "sNaN", "Infinity", "-Infinity", "1e400", "9" * 100_000])
    def test_a_price_that_is_no_amount_is_refused(self, price):
        assert faults(post(ONE, {**M5, "spot_price": price})) == ["#/spot_price"]
        assert not Prediction.objects.exists()

    def test_a_body_nested_beyond_reason_is_a_400(self):
        answer = Client(headers=a_key()).post(ONE, b"[" * 100_000, content_type="application/json")
        assert answer.status_code == 400

    def test_a_body_that_is_no_json_is_a_400(self):
        answer = Client(headers=a_key()).post(ONE, b"{", content_type="application/json")
        assert answer.status_code == 400


class TestWhoMayAsk:
    def test_nobody_is_told_nothing(self):
        assert post(ONE, M5, {}).status_code == 401

    def test_a_key_without_the_scope_is_refused(self):
        assert post(ONE, M5, a_key(Scope.READ)).status_code == 403

    def test_a_viewer_may_ask(self):
        a_scored_market()
        client = Client()
        client.force_login(factories.bob())
        assert client.post(ONE, json.dumps(M5), content_type="application/json").status_code == 200

    def test_a_platform_key_may_speak_for_a_customer_and_no_other_may(self):
        a_scored_market()
        north, south = factories.northwind(), factories.southwind()
        body = {**M5, "customer_id": str(south.pk)}
        answer = post(ONE, body, a_key(platform=True))
        assert Prediction.objects.get(pk=answer.json()["prediction_id"]).organization == south
        assert post(ONE, body, a_key(organization=north)).status_code == 404


class TestWrittenContract:
    def test_the_examples_in_the_schema_are_accepted_and_look_like_answers(self):
        a_scored_market(model=True)
        answer = post(ONE, {**bodies.ASKED, "launch_time": None}).json()
        assert answer.keys() == bodies.ANSWERED.keys() == bodies.PREDICTION["properties"].keys()
        assert answer["explanation"].keys() == bodies.ANSWERED["explanation"].keys()
        bodies.MANY.validate_python(bodies.MANY_EXAMPLES[0].value)

    def test_a_bodys_schema_needs_nothing_from_elsewhere(self):
        for adapter in (bodies.ONE, bodies.MANY):
            assert "$ref" not in json.dumps(bodies.schema_of(adapter))


def test_with_redis_down_the_answer_is_the_same(settings):
    a_scored_market()
    with_redis = post(ONE, M5).json()
    settings.REDIS_CACHE_URL = "redis://127.0.0.1:1/0"
    again = scoring.score_region("us-east-1", now=NOW)
    without = post(ONE, M5).json()
    assert again.pools == 15
    assert {**without, "prediction_id": 0} == {**with_redis, "prediction_id": 0}
