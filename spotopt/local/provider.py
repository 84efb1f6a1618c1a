"""The cloud itself behind the door: moto's services, our estate, and the changes made to them."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from spotopt.local import census, ec2, events, groups, happenings, targets
from spotopt.local.agenda import Agenda
from spotopt.local.building import build
from spotopt.local.catalogue import add_extra_types
from spotopt.local.clock import Clock
from spotopt.local.faults import Switches
from spotopt.local.identity import Caller
from spotopt.local.journal import Entry, Journal
from spotopt.local.ledger import DONE, Effect, Ledger, effect_of
from spotopt.local.market import Market
from spotopt.local.service_roles import create_service_roles
from spotopt.local.wire import STATUS_OF_CODE, Answer, Call, Refusal
from spotopt.local.world import World

from moto.core.base_backend import BackendDict  # isort: skip
from moto.core.model_instances import reset_model_data  # isort: skip
from moto.moto_api._internal import mock_random  # isort: skip
from moto.moto_server.werkzeug_app import create_backend_app  # isort: skip
from werkzeug.test import EnvironBuilder, run_wsgi_app  # isort: skip

CONTROL = "control"  # the journal's name for what the control page did
CODE = re.compile(rb"<Code>([^<]+)</Code>|\"__type\": *\"([^\"]+)\"")
APPS: dict[str, Any] = {  # signing name → moto's
    "ec2": "ec2",
    "autoscaling": "autoscaling",
    "iam": "iam",
    "elasticloadbalancing": "elbv2",  # moto tells Classic ones apart by the version in the request
    "monitoring": "cloudwatch",
    "sqs": "sqs",
}


class Provider:
    """Holds one lock around moto: its backends are not made for threads, and ids stay those of the seed."""

    def __init__(self, state: Path, seed: int, clock: Clock, switches: Switches) -> None:
        self.clock = clock
        self._state = state
        self._seed = seed
        self.lock = threading.RLock()
        self.ledger = Ledger()
        self.market = Market(clock.now(), state / "anchors.json")
        World.clock, World.market, World.switches = clock, self.market, switches
        World.agenda = Agenda(clock, seed)
        add_extra_types(self.market)
        for stricter in (ec2, targets, groups, events):
            stricter.install()
        self.began_at = self._remembered_beginning()
        self._journal = Journal(state / "journal.jsonl")
        self._apps = {service: create_backend_app(name) for service, name in APPS.items()}
        self._build()
        self.replayed = self._replay()

    def _remembered_beginning(self) -> datetime:
        """When the estate was first built: machines keep their launch times over restarts."""
        path = self._state / "began_at"
        if not path.exists():
            path.write_text(self.clock.now().isoformat())
        return datetime.fromisoformat(path.read_text())

    def _build(self) -> None:
        BackendDict.reset()
        reset_model_data()
        build(self.began_at, self._seed)
        create_service_roles()
        events.open_queues()

    def answer(self, call: Call, caller: Caller) -> Answer:
        """Let moto do it; a change goes into the ledger, and into the journal when it had an effect."""
        with self.lock:
            self.let_time_pass()
            if not call.is_change:
                return self._ask_moto(call, caller.account_id)
            before = census.take()
            mock_random.seed(f"{self._seed}/{self._journal.next_number}")
            answer = self._ask_moto(call, caller.account_id)
            after = census.take()
            effect = effect_of(before, after)
            if answer.status < 400 or effect:
                self._journal.append(call, caller.account_id, self.clock.now(), caller.arn)
            outcome = DONE if answer.status < 400 else code_of(answer)
            change = self.ledger.add(call, caller.account_id, caller.arn, outcome, effect, self.clock.now())
            self.ledger.tell(change, lambda: after)
            return answer

    def note_refused(self, call: Call, account_id: str, who: str, code: str) -> None:
        """A change that never reached the service."""
        if call.is_change:
            with self.lock:
                change = self.ledger.add(call, account_id, who, code, Effect(), self.clock.now())
                self.ledger.tell(change, census.take)

    def let_time_pass(self) -> None:
        """Do what is due by itself."""
        with self.lock:
            if World.agenda.run():
                self.ledger.tell(None, census.take)

    def happen(self, verb: str, words: Mapping[str, Any]) -> None:
        """Something that no caller asked for (an interruption, a scaling policy); it is repeated after a restart."""
        with self.lock:
            self.let_time_pass()
            mock_random.seed(f"{self._seed}/{self._journal.next_number}")
            happenings.carry_out(verb, words)
            body = json.dumps(dict(words)).encode()
            call = Call(CONTROL, "", verb, "", "", "POST", "application/json", "", body)
            self._journal.append(call, "", self.clock.now())
            self.let_time_pass()
            self.ledger.tell(None, census.take)

    def advance(self, seconds: float) -> None:
        """Let time pass at once, each thing that is due at its own moment."""
        with self.lock:
            end_at = self.clock.now() + timedelta(seconds=seconds)
            while (at := World.agenda.next_at()) is not None and at <= end_at:
                self.clock.move(max(at - self.clock.now(), timedelta(0)))
                self.let_time_pass()
            self.clock.move(max(end_at - self.clock.now(), timedelta(0)))

    def _ask_moto(self, call: Call, account_id: str) -> Answer:
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={call.access_key}/20260101/{call.region}/{call.service}"
            "/aws4_request, SignedHeaders=host, Signature=0",
            "Content-Type": call.content_type,
            "x-moto-account-id": account_id,
        }
        if call.target:
            headers["X-Amz-Target"] = call.target
        builder = EnvironBuilder(method=call.method, path="/", headers=list(headers.items()), data=call.body)
        try:
            chunks, status, found = run_wsgi_app(self._apps[call.service], builder.get_environ(), buffered=True)
        except NotImplementedError as error:
            raise Refusal("InvalidAction", f"This cloud does not know {call.name}: {error}") from error
        except Exception as error:
            sys.stderr.write(f"local cloud: {call.name} failed: {error!r}\n")
            raise Refusal("InternalFailure", f"{call.name}: {error!r}") from error
        kept = tuple((name, value) for name, value in found.items() if name.lower().startswith("x-amz"))
        content_type = found.get("Content-Type", "text/xml")
        answer = Answer(int(status.split()[0]), b"".join(chunks), content_type, kept)
        return answer if answer.status < 400 else with_own_status(answer)

    def _replay(self) -> int:
        """Make the journal's changes again, each at its own time and with its own seed; return how many."""
        entries = list(self._journal.entries())
        World.is_replaying = True
        for entry in entries:
            with self.clock.pinned(datetime.fromisoformat(entry.at)):
                World.agenda.run()
                mock_random.seed(f"{self._seed}/{entry.number}")
                self._repeat(entry)
        World.is_replaying = False
        if entries:  # a clock that had been moved on does not step back
            self.clock.move(max(datetime.fromisoformat(entries[-1].at) - self.clock.now(), timedelta(0)))
        World.agenda.run()
        return len(entries)

    def _repeat(self, entry: Entry) -> None:
        try:
            if entry.service == CONTROL:
                happenings.carry_out(entry.action, json.loads(entry.params))
                return
            before = census.take()
            answer = self._ask_moto(entry.call, entry.account_id)
        except (Refusal, ValueError) as error:
            sys.stderr.write(f"local cloud: change {entry.number} ({entry.action}) could not be repeated: {error}\n")
            return
        effect = effect_of(before, census.take())
        if answer.status >= 400 and not effect:
            sys.stderr.write(f"local cloud: change {entry.number} ({entry.action}) could not be repeated\n")
        outcome = DONE if answer.status < 400 else code_of(answer)
        self.ledger.add(entry.call, entry.account_id, entry.who, outcome, effect, self.clock.now())

    def reset(self) -> None:
        """Forget every change: the estate as the seed made it. Prices keep their place."""
        with self.lock:
            self._journal.clear()
            self.ledger.changes.clear()
            World.agenda.clear()
            self._build()


def code_of(answer: Answer) -> str:
    found = CODE.search(answer.body)
    return (found[1] or found[2]).decode().rpartition("#")[2] if found else "Unknown"


def with_own_status(answer: Answer) -> Answer:
    """moto answers 400 where AWS has a status of its own (EC2 "Error codes", server errors)."""
    status = STATUS_OF_CODE.get(code_of(answer), answer.status)
    return Answer(status, answer.body, answer.content_type, answer.headers)
