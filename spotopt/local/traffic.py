"""Which balancers and alarms of the demo's customers know machines by their id?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spotopt.local.fleet import NORTHWIND_PROD, PARIS

from moto.autoscaling.models import autoscaling_backends  # isort: skip
from moto.cloudwatch.models import cloudwatch_backends  # isort: skip
from moto.elb.models import elb_backends  # isort: skip
from moto.elbv2.models import elbv2_backends  # isort: skip

DRAINS_FOR = "30"  # seconds; AWS's default of 300 would make a visitor of the demo wait


def direct(networks: Mapping[tuple[str, str], Any], machines: Mapping[str, Any]) -> None:
    """Northwind's shop in Paris: three machines and a group behind one balancer, two behind a Classic one, an alarm.

    Nothing that a decision is made from changes by it.
    """
    network = networks[(NORTHWIND_PROD, PARIS)]
    balancers = elbv2_backends[NORTHWIND_PROD][PARIS]
    subnets = [network.subnets[letter].id for letter in "abc"]
    shop = balancers.create_load_balancer("nw-shop", [network.group.id], subnets, scheme="internal", tags=[])
    api = target_group(balancers, network, shop, "nw-api", 80)
    enter(api, (machines[f"api-{number}"] for number in (1, 2, 3)))
    web = target_group(balancers, network, shop, "nw-web", 8080)
    group = autoscaling_backends[NORTHWIND_PROD][PARIS].autoscaling_groups["nw-web"]
    group.target_group_arns = [web.arn]
    enter(web, (member.instance for member in group.instance_states))

    classic: Any = elb_backends[NORTHWIND_PROD][PARIS]
    listener = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstanceProtocol": "HTTP", "InstancePort": 80}
    classic.create_load_balancer("nw-search", [], [listener], "internal", subnets, [network.group.id])
    for number in (1, 2):
        machine = machines[f"search-{number}"]
        classic.register_instances("nw-search", [machine.id])
        classic.registered_at[("nw-search", machine.id)] = machine.launch_time
    watch(machines["api-1"])


def target_group(balancers: Any, network: Any, balancer: Any, name: str, port: int) -> Any:
    made = balancers.create_target_group(
        name,
        vpc_id=network.vpc.id,
        protocol="HTTP",
        port=port,
        healthcheck_path="/healthz",
        target_type="instance",
    )
    made.attributes["deregistration_delay.timeout_seconds"] = DRAINS_FOR
    forward = [{"Type": "forward", "TargetGroupArn": made.arn}]
    balancers.create_listener(balancer.arn, "HTTP", port, None, None, forward)
    return made


def enter(target_group: Any, machines: Iterable[Any]) -> None:
    """As if they had been registered since their launch."""
    for machine in machines:
        target_group.enter({"Id": machine.id}, machine.launch_time)


def watch(machine: Any) -> None:
    """An alarm that names the machine: it must be pointed at whoever takes its place."""
    cloudwatch_backends[NORTHWIND_PROD][PARIS].put_metric_alarm(
        name="api-1-status-check",
        namespace="AWS/EC2",
        metric_name="StatusCheckFailed",
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=2,
        period=60,
        threshold=0.0,
        statistic="Maximum",
        description="api-1 does not pass its checks",
        dimensions=[{"Name": "InstanceId", "Value": machine.id}],
        alarm_actions=[f"arn:aws:sns:{PARIS}:{NORTHWIND_PROD}:on-call"],
    )
