"""Large IFC4 files as streamed text: entity creation through a library takes minutes for them."""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType

from ifcbase.samples.ifc_frame import STAMP, STAMP_SECONDS, guid

FLUSH_CHARACTERS = 4_000_000


class StepText:
    """An IFC4 file written line by line: header, frame, elements, relations.

    Lines are numbered from 1; ``put`` returns the number that others refer to.
    """

    def __init__(self, path: Path, model: str, seed: int, storeys: int, height: float) -> None:
        self.model = model
        self.seed = seed
        self.number = 0
        self._buffer = io.StringIO()
        self._file = path.open("w", encoding="ascii", newline="\n")
        self._file.write(
            "ISO-10303-21;\nHEADER;\nFILE_DESCRIPTION(('ViewDefinition [NotAssigned]'),'2;1');\n"
            f"FILE_NAME('{path.name}','{STAMP}',(''),(''),'ifcbase samples','ifcbase samples','');\n"
            "FILE_SCHEMA(('IFC4'));\nENDSEC;\nDATA;\n"
        )
        self.contained: list[list[int]] = [[] for _ in range(storeys)]
        self.typed: dict[tuple[str, str], list[int]] = {}
        self._frame(storeys, height)

    def __enter__(self) -> StepText:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._relations()
                self._flush()
                self._file.write("ENDSEC;\nEND-ISO-10303-21;\n")
        finally:
            self._file.close()

    def put(self, text: str) -> int:
        """Write one entity, given without its number."""
        self.number += 1
        self._buffer.write(f"#{self.number}={text};\n")
        if self._buffer.tell() > FLUSH_CHARACTERS:
            self._flush()
        return self.number

    def rooted(self, ifc_class: str, role: str, rest: str) -> tuple[int, str]:
        """Write an entity with a GlobalId; returns its number and that GlobalId."""
        global_id = guid(self.seed, self.model, role)
        return self.put(f"{ifc_class}('{global_id}',#{self.owner},{rest})"), global_id

    def body(self, items: str, kind: str) -> int:
        """Write the shape of an element from its items, ``#1`` or ``#1,#2``."""
        shape = self.put(f"IFCSHAPEREPRESENTATION(#{self.context},'Body','{kind}',({items}))")
        return self.put(f"IFCPRODUCTDEFINITIONSHAPE($,$,(#{shape}))")

    def placed(self, x: float, y: float, z: float, ahead: int, storey: int) -> int:
        """Write a placement in a storey; ``ahead`` is the number of its x direction."""
        point = self.put(f"IFCCARTESIANPOINT(({x:.4f},{y:.4f},{z:.4f}))")
        axes = self.put(f"IFCAXIS2PLACEMENT3D(#{point},#{self.up},#{ahead})")
        return self.put(f"IFCLOCALPLACEMENT(#{self.storey_placements[storey]},#{axes})")

    def direction(self, x: float, y: float, z: float) -> int:
        return self.put(f"IFCDIRECTION(({x:.9f},{y:.9f},{z:.9f}))")

    def _frame(self, storeys: int, height: float) -> None:
        person = self.put("IFCPERSON($,'Sample',$,$,$,$,$,$)")
        house = self.put("IFCORGANIZATION($,'ifcbase',$,$,$)")
        user = self.put(f"IFCPERSONANDORGANIZATION(#{person},#{house},$)")
        program = self.put(f"IFCAPPLICATION(#{house},'1','ifcbase samples','ifcbase.samples')")
        self.owner = self.put(
            f"IFCOWNERHISTORY(#{user},#{program},$,.NOCHANGE.,$,$,$,{STAMP_SECONDS})"
        )
        units = [
            self.put(f"IFCSIUNIT(*,.{kind}.,$,.{name}.)")
            for kind, name in (
                ("LENGTHUNIT", "METRE"),
                ("AREAUNIT", "SQUARE_METRE"),
                ("VOLUMEUNIT", "CUBIC_METRE"),
                ("PLANEANGLEUNIT", "RADIAN"),
            )
        ]
        assignment = self.put(f"IFCUNITASSIGNMENT({numbers(units)})")
        self.up = self.direction(0, 0, 1)
        self.ahead = self.direction(1, 0, 0)
        self.aside = self.direction(0, 1, 0)
        self.origin = self.put("IFCCARTESIANPOINT((0.,0.,0.))")
        self.axes = self.put(f"IFCAXIS2PLACEMENT3D(#{self.origin},$,$)")
        #: The frame of a section swept along x: its own x runs along y, its own y upwards.
        self.along_x = self.put(f"IFCAXIS2PLACEMENT3D(#{self.origin},#{self.ahead},#{self.aside})")
        world = self.put(f"IFCGEOMETRICREPRESENTATIONCONTEXT($,'Model',3,1.E-6,#{self.axes},$)")
        self.context = self.put(
            f"IFCGEOMETRICREPRESENTATIONSUBCONTEXT('Body','Model',*,*,*,*,#{world},$,.MODEL_VIEW.,$)"
        )
        project, _ = self.rooted(
            "IFCPROJECT", "project", f"'Generated',$,$,$,$,(#{world}),#{assignment}"
        )
        place = self.put(f"IFCLOCALPLACEMENT($,#{self.axes})")
        site, _ = self.rooted("IFCSITE", "site", f"'Site',$,$,#{place},$,$,.ELEMENT.,$,$,$,$,$")
        building, _ = self.rooted(
            "IFCBUILDING", "building", f"'Generated',$,$,#{place},$,$,.ELEMENT.,$,$,$"
        )
        self.storeys: list[int] = []
        self.storey_placements: list[int] = []
        for k in range(storeys):
            point = self.put(f"IFCCARTESIANPOINT((0.,0.,{k * height:.4f}))")
            axes = self.put(f"IFCAXIS2PLACEMENT3D(#{point},$,$)")
            self.storey_placements.append(self.put(f"IFCLOCALPLACEMENT(#{place},#{axes})"))
            level = f"'Level {k + 1}',$,$,#{self.storey_placements[k]},$,$,.ELEMENT."
            self.storeys.append(
                self.rooted("IFCBUILDINGSTOREY", f"storey/{k}", f"{level},{k * height:.4f}")[0]
            )
        for role, whole, parts in (
            ("project", project, [site]),
            ("site", site, [building]),
            ("building", building, self.storeys),
        ):
            self.rooted("IFCRELAGGREGATES", f"{role}/parts", f"$,$,#{whole},{numbers(parts)}")

    def _relations(self) -> None:
        for k, elements in enumerate(self.contained):
            if elements:
                self.rooted(
                    "IFCRELCONTAINEDINSPATIALSTRUCTURE",
                    f"storey/{k}/contains",
                    f"$,$,{numbers(elements)},#{self.storeys[k]}",
                )
        for (ifc_class, name), elements in self.typed.items():
            kind, _ = self.rooted(
                f"{ifc_class}TYPE",
                f"type/{ifc_class}/{name}",
                f"'{name}',$,$,$,$,$,$,.NOTDEFINED.",
            )
            self.rooted(
                "IFCRELDEFINESBYTYPE",
                f"type/{ifc_class}/{name}/defines",
                f"$,$,{numbers(elements)},#{kind}",
            )

    def _flush(self) -> None:
        self._file.write(self._buffer.getvalue())
        self._buffer = io.StringIO()


def numbers(entities: list[int]) -> str:
    """A list of references as STEP writes it."""
    return "(" + ",".join(f"#{n}" for n in entities) + ")"
