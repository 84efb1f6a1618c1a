"""The cloud itself behind the door: moto's services, our estate, and the changes made to them."""

from __future__ import annotations

import json
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from spotopt.local import ec2
from spotopt.local.building import build
from spotopt.local.catalogue import add_extra_types
from spotopt.local.clock import Clock
from spotopt.local.faults import Switches
from spotopt.local.journal import Entry, Journal
from spotopt.local.machines import SpotRequest
from spotopt.local.market import Market
from spotopt.local.wire import Answer, Call, Refusal
from spotopt.local.world import World

from moto.core.base_backend import BackendDict  # isort: skip
from moto.core.model_instances import reset_model_data  # isort: skip
from moto.moto_api._internal import mock_random  # isort: skip
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # isort: skip
from werkzeug.test import EnvironBuilder, run_wsgi_app  # isort: skip

NOTICE = timedelta(minutes=2)  # EC2 guide, "Spot Instance interruption notices"
CONTROL = "control"  # the journal's name for what the control page did


class Provider:
    """Holds one lock around moto: its backends are not made for threads, and ids stay those of the seed."""

    def __init__(self, state: Path, seed: int, clock: Clock, switches: Switches) -> None:
        self.clock = clock
        self._state = state
        self._seed = seed
        self._lock = threading.RLock()
        self._due: dict[str, datetime] = {}  # instance → when its Spot notice has run out
        self.market = Market(clock.now(), state / "anchors.json")
        World.clock, World.market, World.switches = clock, self.market, switches
        add_extra_types(self.market)
        ec2.install()
        self.began_at = self._remembered_beginning()
        self._journal = Journal(state / "journal.jsonl")
        self._app = DomainDispatcherApplication(create_backend_app)
        self._app.app_instances = {name: create_backend_app(name) for name in ("ec2", "autoscaling", "iam")}
        build(self.began_at, seed)
        self.replayed = self._replay()

    def _remembered_beginning(self) -> datetime:
        """When the estate was first built: machines keep their launch times over restarts."""
        path = self._state / "began_at"
        if not path.exists():
            path.write_text(self.clock.now().isoformat())
        return datetime.fromisoformat(path.read_text())

    def answer(self, call: Call, account_id: str) -> Answer:
        """Let moto do it; journal it when it changed something."""
        with self._lock:
            self._end_due()
            if call.is_read:
                return self._ask_moto(call, account_id)
            mock_random.seed(f"{self._seed}/{self._journal.next_number}")
            answer = self._ask_moto(call, account_id)
            if answer.status < 400:
                self._journal.append(call, account_id, self.clock.now())
            return answer

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
            chunks, status, found = run_wsgi_app(self._app, builder.get_environ(), buffered=True)
        except NotImplementedError as error:
            raise Refusal("InvalidAction", f"This cloud does not know {call.name}: {error}") from error
        except Exception as error:
            sys.stderr.write(f"local cloud: {call.name} failed: {error!r}\n")
            raise Refusal("InternalFailure", f"{call.name}: {error!r}") from error
        kept = tuple((name, value) for name, value in found.items() if name.lower().startswith("x-amz"))
        content_type = found.get("Content-Type", "text/xml")
        return Answer(int(status.split()[0]), b"".join(chunks), content_type, kept)

    def _replay(self) -> int:
        """Make the journal's changes again, each at its own time and with its own seed; return how many."""
        entries = list(self._journal.entries())
        for entry in entries:
            self.clock.pin(datetime.fromisoformat(entry.at))
            mock_random.seed(f"{self._seed}/{entry.number}")
            self._repeat(entry)
        self.clock.pin(None)
        return len(entries)

    def _repeat(self, entry: Entry) -> None:
        if entry.service == CONTROL:
            self._end_interrupted(json.loads(entry.params)["instance_id"])
            return
        answer = self._ask_moto(entry.call, entry.account_id)
        if answer.status >= 400:
            sys.stderr.write(f"local cloud: change {entry.number} ({entry.action}) could not be repeated\n")

    def reset(self) -> None:
        """Forget every change: the estate as the seed made it. Prices keep their place."""
        with self._lock:
            BackendDict.reset()
            reset_model_data()
            self._journal.clear()
            self._due.clear()
            build(self.began_at, self._seed)

    def spot_request(self, instance_id: str) -> SpotRequest:
        """Refuses an instance that is not there, or not Spot."""
        for _, _, backend in ec2.ec2_backends.iter_backends():
            requests: dict[str, Any] = vars(backend)["spot_instance_requests"]
            for request in requests.values():
                if isinstance(request, SpotRequest) and request.instance_id == instance_id:
                    return request
        raise Refusal("InvalidInstanceID.NotFound", f"{instance_id} is no Spot instance of this cloud")

    def interrupt(self, instance_id: str, *, at_once: bool) -> None:
        """Mark a Spot instance for termination; two minutes later, or at once, it ends."""
        with self._lock:
            request = self.spot_request(instance_id)
            now = self.clock.now()
            message = "Your Spot Instance is marked for termination."
            request.move("active", "marked-for-termination", message, now)
            self._due[instance_id] = now if at_once else now + NOTICE
            self._end_due()

    def _end_due(self) -> None:
        for instance_id in [one for one, at in self._due.items() if at <= self.clock.now()]:
            del self._due[instance_id]
            body = json.dumps({"instance_id": instance_id}).encode()
            self._end_interrupted(instance_id)
            call = Call(CONTROL, "", "Interrupt", "", "", "POST", "application/json", "", body)
            self._journal.append(call, "", self.clock.now())

    def _end_interrupted(self, instance_id: str) -> None:
        request = self.spot_request(instance_id)
        instance: Any = request.instance
        if instance.state == "running":
            instance.terminate()
            instance.state_reason.code = "Server.SpotInstanceTermination"
            instance.state_reason.message = "Server.SpotInstanceTermination: Spot instance termination"
        message = "Your Spot Instance was terminated because there is no Spot capacity that matches your request."
        request.move("closed", "instance-terminated-no-capacity", message, self.clock.now())
