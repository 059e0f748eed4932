"""Messages of protocol buffers from tables of their fields, in place of generated modules. The only import of the
protobuf library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_FIELD = re.compile(r"(\w+):(\d+)(\*?)(\w*)")


def classes(package: str, messages: Mapping[str, str], syntax: str = "proto2") -> dict[str, Any]:
    """A class for each message. A table's line has NAME:NUMBER for each field, `*` where it is repeated, then `b`
    for bytes, `s` for text or the name of a message; else it is an unsigned number, as which flags and
    enumerations are written, too. What is not listed is skipped when a message is read."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    scalars = {"b": field.TYPE_BYTES, "s": field.TYPE_STRING, "": field.TYPE_UINT64}
    file = descriptor_pb2.FileDescriptorProto(name=f"reconciler/{package}.proto", package=package, syntax=syntax)
    for name, text in messages.items():
        message = file.message_type.add(name=name)
        for key, number, repeated, kind in _FIELD.findall(text):
            made = message.field.add(name=key, number=int(number))
            made.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            made.type = scalars.get(kind, field.TYPE_MESSAGE)
            if kind not in scalars:
                made.type_name = f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = (pool.FindMessageTypeByName(f"{package}.{name}") for name in messages)
    return {one.name: message_factory.GetMessageClass(one) for one in found}


def decoded(kind: Any, data: bytes) -> Any:
    """One message; ValueError where these bytes are none."""
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from None
