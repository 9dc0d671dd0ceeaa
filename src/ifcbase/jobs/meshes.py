"""The mesh cache around a job: the child reads it, the parent admits what the child made."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ifcbase.settings import Settings

if TYPE_CHECKING:
    from ifcbase.ifc.mesh_cache import MeshCache

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptMeshes:
    """What a job on meshes gets from its worker, and what becomes of what it leaves.

    ``sign``: its report is recorded, so it must carry signatures.
    """

    cache: MeshCache
    engine: str
    sign: bool = True

    @classmethod
    def of(cls, settings: Settings, engine: str | None = None, *, sign: bool = True) -> KeptMeshes:
        # Here and not above: a check without meshes need not wait for what reads them.
        from ifcbase.clash.answers import kept_in

        folder = settings.cache_folder / "meshes"
        cache = kept_in(folder, settings.mesh_cache_mb << 20)
        return cls(cache, engine or settings.clash_engine, sign)

    def options(self) -> dict[str, Any]:
        """Keywords of ``run`` of every check that uses meshes."""
        return {
            "engine": self.engine,
            "mesh_cache": str(self.cache.folder),
            "sign": self.sign,
        }

    def admit(self, output: Path) -> None:
        """Move in what a child left in its output folder, after it has ended.

        What cannot be kept is made again next time: a full disk must not fail a finished job.
        """
        from ifcbase.ifc.mesh_cache import STAGE

        stage = output / STAGE
        if not stage.is_dir():
            return
        try:
            for refused in self.cache.admit_all(stage):
                _LOG.warning("meshes that do not hold together were refused: %s", refused.name)
        except OSError as error:
            _LOG.warning("meshes were not kept: %s", error)
