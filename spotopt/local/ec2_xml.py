"""How does EC2 write a value in XML? For the long answers, on which moto's own serializer takes seconds."""

from __future__ import annotations

from functools import cache
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

import botocore.session

from spotopt.local.catalogue import described_type

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


@cache
def shape(name: str) -> Any:
    return botocore.session.get_session().get_service_model("ec2").shape_for(name)


def rendered(of: Any, value: Any) -> str:
    """`value` as botocore's shape `of` describes it: what is None is left out, unknown members too."""
    if of.type_name == "structure":
        known = ((member, value.get(name)) for name, member in of.members.items())
        return "".join(_element(member.serialization["name"], member, one) for member, one in known if one is not None)
    if of.type_name == "list":
        return "".join(_element(of.member.serialization.get("name", "item"), of.member, one) for one in value)
    if of.type_name == "boolean":
        return "true" if value else "false"
    return escape(str(value))


def _element(tag: str, of: Any, value: Any) -> str:
    return f"<{tag}>{rendered(of, value)}</{tag}>"


@cache
def type_xml(name: str) -> str:
    return f"<item>{rendered(shape('InstanceTypeInfo'), described_type(name))}</item>"


def response(action: str, items_tag: str, items: str, following: str | None) -> str:
    """A page of a Describe call; `items` is XML already."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{NAMESPACE}">'
        f"<requestId>{uuid4()}</requestId><{items_tag}>{items}</{items_tag}>"
        f"<nextToken>{following or ''}</nextToken></{action}Response>"
    )
