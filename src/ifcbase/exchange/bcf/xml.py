"""Small XML documents as text: what is written is well formed whatever a model holds."""

from __future__ import annotations

from xml.sax.saxutils import escape

from ifcbase.ifc.text import clean

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
#: Line breaks in an attribute would come back as blanks.
_QUOTED = {'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}


class Node:
    """An element with attributes, text and children in the order they were added."""

    __slots__ = ("_attributes", "_children", "_name", "_text")

    def __init__(self, name: str, text: str | None = None, /, **attributes: str) -> None:
        self._name = name
        self._text = text
        self._attributes = attributes
        self._children: list[Node] = []

    def add(self, name: str, text: str | None = None, /, **attributes: str) -> Node:
        """Append a child and give it back."""
        child = Node(name, text, **attributes)
        self._children.append(child)
        return child

    def add_if(self, name: str, text: str | None) -> None:
        """Append a child unless there is nothing to say: blank texts are not valid in BCF 3.0."""
        if text and text.strip():
            self.add(name, text)

    def append(self, child: Node) -> None:
        """Append a child made elsewhere."""
        self._children.append(child)

    def __len__(self) -> int:
        return len(self._children)

    def document(self) -> str:
        """The whole document."""
        parts = [HEAD]
        self._write(parts, "")
        return "".join(parts)

    def _write(self, parts: list[str], indent: str) -> None:
        attributes = "".join(
            f' {name}="{escape(clean(value), _QUOTED)}"' for name, value in self._attributes.items()
        )
        parts.append(f"{indent}<{self._name}{attributes}")
        if self._children:
            parts.append(">\n")
            for child in self._children:
                child._write(parts, indent + " ")
            parts.append(f"{indent}</{self._name}>\n")
        elif self._text:
            # A bare carriage return would be read as a line feed.
            text = escape(clean(self._text), {"\r": "&#13;"})
            parts.append(f">{text}</{self._name}>\n")
        else:
            parts.append("/>\n")
