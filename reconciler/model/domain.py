"""libvirt's domain XML, as far as anybody here looks into it: from users' specs and from hosts' answers alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # most specs have none, and are read without the parser
    from xml.etree.ElementTree import Element

MOST = 2**20
"""Characters of the longest domain that is read."""


def read(text: str) -> Element:
    """The `domain` element; ValueError says what is wrong."""
    from xml.etree import ElementTree as ET  # a document type, which is what could blow up, is refused first

    if len(text) > MOST:
        raise ValueError(f"longer than {MOST} characters")
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise ValueError("a document type or entities are not taken")
    try:
        found = ET.fromstring(text)  # noqa: S314  # see above
    except ET.ParseError as error:
        raise ValueError(f"not XML: {error}") from None
    if found.tag != "domain":
        raise ValueError(f"its root is `{found.tag}`, not `domain`")
    return found


def write(domain: Element) -> str:
    """As text, in the one spelling that a domain has: no spaces between elements, attributes in order."""
    from xml.etree import ElementTree as ET

    return ET.canonicalize(ET.tostring(domain, encoding="unicode"), strip_text=True)


def normal(text: str) -> str:
    """A user's domain in its normal form."""
    return write(read(text))
