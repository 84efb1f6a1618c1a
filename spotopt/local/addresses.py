"""Whose is an Elastic IP address? AssociateAddress, DisassociateAddress and ReleaseAddress references."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.utils import random_eip_association_id

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend as Backend
else:
    Backend = object  # moto's backends have an order of inheritance of their own


class StrictAddresses(Backend):
    """The part of EC2's backend that holds addresses."""

    past_associations: set[str]

    def disassociate_address(self, address: str | None = None, association_id: str | None = None) -> None:
        """Repeating it changes nothing (DisassociateAddress reference: "This is an idempotent operation")."""
        if association_id in self.past_associations:
            return
        found = self.address_by_ip([address]) if address else self.address_by_association([str(association_id)])
        if found[0].association_id:
            self.past_associations.add(found[0].association_id)
        super().disassociate_address(address=found[0].public_ip)

    def associate_address(
        self,
        instance: Any = None,
        eni: Any = None,
        address: str | None = None,
        allocation_id: str | None = None,
        reassociate: bool = False,
    ) -> ElasticAddress:
        """Repeating it changes nothing. Without `reassociate` neither address nor interface may be taken already."""
        found = self.address_by_ip([address]) if address else self.address_by_allocation([str(allocation_id)])
        eip = found[0]
        if instance is not None and instance.state not in ("running", "stopping", "stopped"):
            raise EC2ClientError(
                "IncorrectInstanceState", f"The instance '{instance.id}' is not in a valid state for this operation."
            )
        interface = eni or instance.nics[0]
        if eip.eni is interface:
            return eip
        for taken in [one for one in self.addresses if one.eni is not None and (one is eip or one.eni is interface)]:
            if not reassociate:
                raise EC2ClientError(
                    "Resource.AlreadyAssociated",
                    f"resource {taken.allocation_id} is already associated with associate-id {taken.association_id}",
                )
            self.disassociate_address(address=taken.public_ip)
        eip.eni, eip.instance = interface, instance or interface.instance
        interface.public_ip = eip.public_ip
        eip.association_id = random_eip_association_id()
        return eip

    def release_address(self, address: str | None = None, allocation_id: str | None = None) -> None:
        """Refuses one that is in use; moto takes it away."""
        found = self.address_by_ip([address]) if address else self.address_by_allocation([str(allocation_id)])
        if found[0].association_id:
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {found[0].public_ip} is in use.")
        self.addresses.remove(found[0])
