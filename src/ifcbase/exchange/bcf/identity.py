"""Ids of topics and viewpoints, the same in every file that is made of the same findings."""

from __future__ import annotations

from uuid import UUID, uuid5

from ifcbase.exchange.report import Finding

#: The name space of all our ids (a random UUID, fixed for ever).
_SPACE = UUID("6f0d1f0e-94a5-4a53-8b5c-6d9c1b3b8c57")


def guid(*parts: str) -> str:
    """A UUID that these texts alone decide, in lower case."""
    # The length of each part keeps ("a", "bc") apart from ("ab", "c").
    return str(uuid5(_SPACE, "".join(f"{len(part)}:{part}" for part in parts)))


class TopicIds:
    """Gives each finding its id; two findings of one key never share a topic."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._seen: dict[tuple[str, ...], int] = {}

    def take(self, finding: Finding) -> str:
        """The id of a finding; the second of the same key gets another one."""
        number = self._seen[finding.key] = self._seen.get(finding.key, 0) + 1
        repeat = () if number == 1 else (f"#{number}",)
        return guid("topic", self._namespace, *finding.key, *repeat)
