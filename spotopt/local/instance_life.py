"""Through which states does an instance go, and when? EC2 guide, "Amazon EC2 instance state changes"."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from spotopt.local.machines import end_request
from spotopt.local.world import World

from moto.ec2.models.instances import Instance, InstanceState, StateReason  # isort: skip

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
BY_USER = "Client.UserInitiatedShutdown"
Listener = Callable[["StrictInstance"], None]


class StrictInstance(Instance):
    """Takes its time: boots, is checked, shuts down, stays visible for an hour after its end."""

    listeners: list[Listener] = []  # told after each change of state; groups and balancers listen

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.running_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.visible_at: datetime = World.clock.now() + timedelta(seconds=World.pace.unseen)
        self.answers = not World.switches.take_sick()  # its own pages, once it has booted
        self.is_impaired = False
        self.reboots = 0
        self._state = InstanceState("pending", CODES["pending"])
        World.agenda.add(World.pace.boot, self.boot)

    def enter(self, state: str) -> InstanceState:
        """Return the state before. Whoever listens is told."""
        before = copy.copy(self._state)
        self._state = InstanceState(state, CODES[state])
        self.tell()
        return before

    def tell(self) -> None:
        for listener in self.listeners:
            listener(self)

    def boot(self) -> None:
        if self.state == "pending":
            self.running_at = World.clock.now()
            self.enter("running")

    def settle(self, at: datetime) -> None:
        """As if every change of state had been over long ago; for machines that are there when the story begins."""
        self.running_at = self.visible_at = at
        ends = {"pending": "running", "stopping": "stopped"}
        self._state = InstanceState(ends.get(self.state, self.state), CODES[ends.get(self.state, self.state)])

    @property
    def is_up(self) -> bool:
        """Its own pages answer."""
        if self.state != "running" or self.running_at is None or not self.answers or self.is_impaired:
            return False
        return World.clock.now() >= self.running_at + timedelta(seconds=World.pace.application)

    @property
    def instance_status(self) -> dict[str, Any]:
        """EC2 guide, "Status checks": initializing, then ok, or impaired."""
        if self.state != "running" or self.running_at is None:
            return {"Status": "not-applicable"}
        if self.is_impaired:
            return {"Status": "impaired", "Details": [{"Name": "reachability", "Status": "failed"}]}
        if World.clock.now() < self.running_at + timedelta(seconds=World.pace.checks):
            return {"Status": "initializing", "Details": [{"Name": "reachability", "Status": "initializing"}]}
        return {"Status": "ok", "Details": [{"Name": "reachability", "Status": "passed"}]}

    @property
    def system_status(self) -> dict[str, Any]:
        return self.instance_status

    @property
    def attached_ebs_status(self) -> dict[str, Any]:
        return self.instance_status

    def start(self) -> InstanceState:
        if self.state != "stopped":
            return copy.copy(self._state)
        for nic in self.nics.values():
            nic.start()
        self._reason, self.state_reason = "", None  # type: ignore[assignment]
        World.agenda.add(World.pace.boot, self.boot)
        return self.enter("pending")

    def stop(self) -> InstanceState:
        if self.state not in ("pending", "running"):
            return copy.copy(self._state)
        self._give_reason(BY_USER, "User initiated shutdown")
        World.agenda.add(World.pace.shut_down, self._has_stopped)
        return self.enter("stopping")

    def _has_stopped(self) -> None:
        if self.state == "stopping":
            for nic in self.nics.values():
                nic.stop()
            self.running_at = None
            self.enter("stopped")

    def terminate(self, code: str = BY_USER, message: str = "User initiated shutdown") -> InstanceState:
        """Repeating it changes nothing (EC2 reference, TerminateInstances: "This operation is idempotent")."""
        if self.state in ("shutting-down", "terminated"):
            return copy.copy(self._state)
        self._give_reason(code, message)
        if self.lifecycle == "spot":
            end_request(self)
        World.agenda.add(World.pace.shut_down, self.end)
        return self.enter("shutting-down")

    def _give_reason(self, code: str, message: str) -> None:
        at = World.clock.now().strftime("%Y-%m-%d %H:%M:%S UTC")
        self._reason = f"User initiated ({at})" if code == BY_USER else f"Server.SpotInstanceTermination ({at})"
        self.state_reason = StateReason(f"{code}: {message}", code)

    def end(self) -> None:
        """Interfaces, volumes and addresses go or come free; the instance itself is described for an hour more."""
        if self.state != "shutting-down":
            return
        reason, state_reason = self._reason, self.state_reason
        for address in self.ec2_backend.addresses:
            if address.eni in self.nics.values():
                self.ec2_backend.disassociate_address(address=address.public_ip)
        subnet = self.ec2_backend.get_subnet(self.subnet_id) if self.subnet_id else None
        super().terminate()
        for nic in list(self.nics.values()):
            if not nic.delete_on_termination:
                self.detach_eni(nic)
        if subnet is not None:
            for ip in self._private_ips:
                subnet.del_subnet_ip(ip)
        self._private_ips = set()
        self._reason, self.state_reason = reason, state_reason
        self.ended_at = World.clock.now()
        self.enter("terminated")
        World.agenda.add(World.pace.forgotten, self._forget)

    def _forget(self) -> None:
        for reservation in list(self.ec2_backend.reservations.values()):
            if self in reservation.instances:
                reservation.instances.remove(self)
                if not reservation.instances:
                    del self.ec2_backend.reservations[reservation.id]

    @property
    def is_over(self) -> bool:
        return self.state == "terminated"

    # What a terminated instance no longer has (EC2 reference, Instance).
    @property
    def network_interfaces(self) -> list[Any]:
        return [] if self.is_over else super().network_interfaces

    @property
    def subnet_id(self) -> str | None:
        return None if self.is_over else super().subnet_id

    @property
    def vpc_id(self) -> str | None:
        return None if self.is_over else super().vpc_id

    @property
    def private_ip(self) -> str | None:
        return None if self.is_over else super().private_ip

    @property
    def private_ip_address(self) -> str | None:
        return self.private_ip

    @property
    def private_dns_name(self) -> str:
        return "" if self.is_over else super().private_dns_name

    @property
    def public_ip(self) -> str | None:
        return None if self.is_over else super().public_ip

    @property
    def public_ip_address(self) -> str | None:
        return self.public_ip
