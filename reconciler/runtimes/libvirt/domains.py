"""Domains as XML: made from specs, with what we must know again of them in their metadata, which libvirt keeps and
takes along; and read from what libvirt says."""

from __future__ import annotations

import uuid
from xml.etree.ElementTree import Element, SubElement

from reconciler.core import answers
from reconciler.model import domain as xml
from reconciler.model.base import canonical_json
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.machine import VirtualMachine
from reconciler.model.spec import Workload
from reconciler.model.world import InstanceNetwork

NAMESPACE = "urn:reconciler:v1"
_TAG = f"{{{NAMESPACE}}}workload"
_UUIDS = uuid.UUID("3b6b0a3c-7f0f-5c39-9d0e-6d1b4a3c2f10")
"""What the UUIDs of domains are made under that have none of their own."""
_UNITS = {
    "b": 1,
    "bytes": 1,
    "k": 2**10,
    "KiB": 2**10,
    "M": 2**20,
    "MiB": 2**20,
    "G": 2**30,
    "GiB": 2**30,
    "T": 2**40,
}


def machine_of(workload: Workload) -> VirtualMachine:
    found = workload.spec.virtual_machine
    assert isinstance(found, VirtualMachine), workload.metadata.name
    return found


def made(workload: Workload) -> bytes:
    """The XML to define. A domain without a UUID gets one of its name and its spec: the same on every host."""
    machine, name = machine_of(workload), workload.metadata.name
    domain = xml.read(machine.domain)
    spec = canonical_json(machine)
    for child in ("name", "uuid"):
        found = domain.find(child)
        text = name if child == "name" else str(uuid.uuid5(_UUIDS, f"{name}\n{spec}"))
        if found is None:
            found = SubElement(domain, child)
        elif child == "uuid" and found.text:
            continue
        found.text = text
    metadata = domain.find("metadata")
    if metadata is None:
        metadata = SubElement(domain, "metadata")
    for old in metadata.findall(_TAG):
        metadata.remove(old)
    SubElement(metadata, _TAG, {"name": name}).text = spec
    return xml.write(domain).encode()


def labels(domain: Element) -> dict[str, str]:
    """What a domain was made from; empty for one that is not ours."""
    found = domain.find(f"metadata/{_TAG}")
    if found is None:
        return {}
    name = answers.name(found.get("name"), "the workload of a domain")
    return {LABEL_WORKLOAD: name, LABEL_SPEC: answers.string(found.text, f"the spec of {name}")}


def networks(domain: Element) -> tuple[InstanceNetwork, ...]:
    """Its cards: MACs, and what they are joined to."""
    found = []
    for card in domain.findall("devices/interface"):
        source, mac = card.find("source"), card.find("mac")
        joined = next(iter(source.attrib.values()), "") if source is not None else ""
        address = answers.mac(mac.get("address"), "the MAC of a domain") if mac is not None else None
        found.append(InstanceNetwork(name=answers.word(joined, "the network of a domain"), mac=address))
    return tuple(found)


def memory(domain: Element) -> int:
    """Bytes that the guest has."""
    found = domain.find("currentMemory")
    if found is None:
        found = domain.find("memory")
    if found is None:
        return 0
    unit = _UNITS.get(found.get("unit", "KiB"))
    if unit is None:
        raise answers.refused(found.get("unit"), "the unit of a domain's memory", "one that libvirt knows")
    return answers.number((found.text or "").strip(), "the memory of a domain") * unit
