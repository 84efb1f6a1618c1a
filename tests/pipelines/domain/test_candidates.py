"""Which pools are let in, and is every other one told with its reason?"""

from dataclasses import replace

from pipelines.domain.candidates import screen, subnet_for, type_shortfalls
from pipelines.domain.target import Subnet
from tests.pipelines.domain.cases import a_candidate, a_spec, a_subnet, a_target

SPECS = {
    spec.instance_type: spec
    for spec in (
        a_spec(),
        a_spec("m5.xlarge", vcpus=4, memory_mib=16384),
        a_spec("c5.large", memory_mib=4096),
        a_spec("m6g.large", architectures=("arm64",)),
        a_spec("t3.large", is_burstable=True),
    )
}


def shortfalls(*types, **fields):
    return type_shortfalls(a_target(**fields), SPECS, types)


def test_each_type_has_all_its_reasons_in_one_line():
    found = shortfalls("m5.large", "m5.xlarge", "c5.large", "m6g.large", "t3.large", "x9.large")
    assert found == {
        "m5.large": "",
        "m5.xlarge": "",
        "c5.large": "4 GiB memory, 8 needed",
        "m6g.large": "architecture arm64, image is x86_64",
        "t3.large": "burstable: its vCPUs are shares of one, now they are whole",
        "x9.large": "its hardware is unknown",
    }


def test_a_burstable_machine_may_move_to_a_burstable_type():
    specs = SPECS | {"t3a.large": a_spec("t3a.large", is_burstable=True)}
    assert type_shortfalls(a_target(instance_type="t3.large"), specs, ["t3a.large"]) == {"t3a.large": ""}


def test_without_its_own_hardware_or_architecture_nothing_can_stand_in():
    assert shortfalls("m5.large", instance_type="q1.large") == {"m5.large": "the hardware of q1.large is unknown"}
    assert shortfalls("m5.large", architecture="") == {"m5.large": "the image's architecture is unknown"}


def test_a_local_disk_nobody_knows_of_counts_as_used():
    specs = {"m5d.large": a_spec("m5d.large", local_disk_gb=75), "m5.large": a_spec()}
    found = type_shortfalls(a_target(instance_type="m5d.large", has_local_disk_in_use=None), specs, ["m5.large"])
    assert found == {"m5.large": "0 GB local disk, 75 in use"}


def test_the_own_subnet_serves_its_zone_and_another_must_be_like_it():
    target = a_target()
    own, there = subnet_for(target, "use1-az1"), subnet_for(target, "use1-az2")
    assert isinstance(own, Subnet)
    assert isinstance(there, Subnet)
    assert (own.subnet_id, there.subnet_id) == ("subnet-1", "subnet-2")
    assert subnet_for(target, "use1-az6") == "no subnet of vpc-1 in use1-az6"


def test_a_subnet_that_differs_says_how():
    def reason(**fields):
        return subnet_for(a_target(subnets=(a_subnet(), a_subnet("subnet-2", "use1-az2", **fields))), "use1-az2")

    assert reason(route_table_id="rtb-9") == "subnet-2 has another route table (rtb-9, now rtb-1)"
    assert reason(network_acl_id=None) == "subnet-2 has another network ACL (None, now acl-1)"
    assert reason(is_public_ip_mapped=True) == "subnet-2 has another public-address rule (True, now False)"
    assert reason(free_addresses=7) == "subnet-2 has 7 free addresses, 8 needed"


def test_an_own_subnet_that_is_full_or_unknown_is_no_place():
    assert "7 free addresses" in subnet_for(a_target(subnets=(a_subnet(free_addresses=7),)), "use1-az1")
    assert subnet_for(a_target(subnets=()), "use1-az1") == "the target's own subnet is not known"
    not_told = a_target(subnets=(a_subnet(free_addresses=None),))
    assert subnet_for(not_told, "use1-az1") == "subnet-1 has an unknown number of free addresses, 8 needed"


def test_of_several_subnets_the_first_like_its_own_is_taken():
    subnets = (a_subnet(), a_subnet("subnet-8", "use1-az2", free_addresses=1), a_subnet("subnet-9", "use1-az2"))
    found = subnet_for(a_target(subnets=subnets), "use1-az2")
    assert isinstance(found, Subnet)
    assert found.subnet_id == "subnet-9"


def test_pools_are_let_in_with_their_subnet_and_the_others_counted_by_reason():
    fits = a_candidate(subnet_id="")
    elsewhere = replace(fits, zone_id="use1-az6")
    unknown = replace(fits, zone_id="use1-az3", safety_score=None)
    unsaid = replace(fits, zone_id="use1-az1", spot_usd_micro=None)
    small = replace(fits, instance_type="c5.large")
    found = screen(
        a_target(),
        [fits, elsewhere, unknown, unsaid, small],
        reasons_by_type=shortfalls("m5.large", "c5.large"),
        missing={unknown.pool: ["no Advisor rating", "no On-Demand price"]},
    )
    assert [(each.pool, each.subnet_id) for each in found.candidates] == [("m5.large in use1-az2", "subnet-2")]
    assert found.rejected_types == {"4 GiB memory, 8 needed": ("c5.large",)}
    assert found.rejected_pools == {
        "no subnet of vpc-1 in use1-az6": ("m5.large in use1-az6",),
        "unknown: no Advisor rating, no On-Demand price": ("m5.large in use1-az3",),
        "unknown: price, probability or safety score": ("m5.large in use1-az1",),
    }
    assert found.commonest_rejection == "unknown: price, probability or safety score (1 pools)"


def test_without_pools_of_fitting_types_the_commonest_reason_is_the_types():
    small = a_candidate(instance_type="c5.large")
    found = screen(a_target(), [small], reasons_by_type=shortfalls("c5.large"), missing={})
    assert found.commonest_rejection == "4 GiB memory, 8 needed (1 types)"
    assert screen(a_target(), [], reasons_by_type={}, missing={}).commonest_rejection == ""
