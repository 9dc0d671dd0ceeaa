"""Reports made up for tests, with every nasty text a model could hold."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import strategies as st

from ifcbase.exchange.report import (
    Comment,
    Element,
    Finding,
    LeftOut,
    Model,
    Report,
    Requirement,
    Section,
    Tested,
)

NOW = datetime(2026, 11, 22, 19, 30, tzinfo=UTC)
#: Far away, as models in national coordinates are: millimetres must survive.
POINT = (2_681_234.123456, 1_247_890.654321, 408.25)
NASTY = (
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    " =1",
    "<script>alert(1)</script>",
    "a & b \"quoted\" 'single'",
    "]]> --> <!--",
    "\x00NUL \x0b\x1f \ud800",
    "line\none\r\ntwo",
    "größer, ≥ 5 µm 日本",
    "[link](javascript:alert(1)) | cell",
    "",
    "   ",
    "x" * 40_000,
)


def global_id(number: int) -> str:
    return f"{number:022d}"


def element(number: int, model: str = "Architecture", **more: str | None) -> Element:
    values = {"ifc_class": "IfcWall", "name": f"Wall {number}", "storey": "Level 1"} | more
    return Element(model, global_id(number), **values)


def finding(number: int = 1, **more: object) -> Finding:
    values: dict[str, object] = {
        "key": ("clash", "set", str(number)),
        "title": f"Wall {number} clashes with Pipe {number}",
        "kind": "pierce",
        "elements": (
            element(number),
            element(1000 + number, "Services", ifc_class="IfcPipeSegment", name=f"Pipe {number}"),
        ),
        "point": POINT,
        "distance": 0.0123,
        "measured": "exact",
    }
    return Finding(**(values | more))  # type: ignore[arg-type]


def full_finding() -> Finding:
    """One that says everything."""
    return finding(
        7,
        details="It was there before.",
        state="persisting",
        state_reason="seen again",
        review="reviewed",
        review_reason="to be moved",
        priority="High",
        assigned_to="mep@example.org",
        due=date(2026, 12, 1),
        group="3",
        created=datetime(2026, 11, 1, 8, tzinfo=UTC),
        comments=(
            Comment(datetime(2026, 11, 2, tzinfo=UTC), "anna", "Move the pipe."),
            Comment(datetime(2026, 11, 3, tzinfo=UTC), "ben", "Done on Monday."),
        ),
    )


def report(*findings: Finding, check: str = "clash", **more: object) -> Report:
    section = Section(
        name="Walls vs pipes",
        verdict="found" if findings else "inconclusive",
        sentence="What came out.",
        findings=findings,
        facts=[("mode", "intersection"), ("tolerance", "10.0 mm")],
        tested=[
            Tested("side a", "Architecture", "IfcWall", 10, 8, {"no geometry": 2}),
            Tested("side b", "Services", "all elements", 0, 0),
        ],
        left_out=[LeftOut(element(5), "side a", "no geometry")],
        warnings=["Only 80.0 % of the elements with geometry were tested."],
    )
    values: dict[str, object] = {
        "title": "Clashes of the week",
        "verdict": section.verdict,
        "models": [
            Model("Architecture", "arc-2.ifc", "ab" * 32, "IFC4", 2),
            Model("Services", "mep.ifc", "cd" * 32, "IFC2X3", None),
        ],
        "project": "tower",
        "namespace": "here",
    }
    return Report(check=check, created=NOW, sections=[section], **(values | more))  # type: ignore[arg-type]


def ids_report(evaluated: int = 0) -> Report:
    rule = Requirement("Name shall be given", evaluated, evaluated, 0)
    section = Section("Walls", "passed", "It applies to no element.", requirements=[rule])
    return Report("tester", "Rules", NOW, "passed", [section])


TEXT = st.one_of(st.sampled_from(NASTY), st.text(max_size=30))


@st.composite
def any_finding(draw: st.DrawFn, number: int = 1) -> Finding:
    """Any texts in every field a model or a person fills."""
    coordinate = st.floats(-1e7, 1e7)
    maybe = st.one_of(st.none(), TEXT)
    elements = draw(
        st.lists(
            st.builds(
                Element, TEXT, st.one_of(st.just(global_id(number)), TEXT), maybe, maybe, maybe
            ),
            max_size=3,
        )
    )
    return Finding(
        key=("any", str(number)),
        title=draw(TEXT),
        kind=draw(TEXT),
        elements=tuple(elements),
        details=draw(TEXT),
        point=draw(st.one_of(st.none(), st.tuples(coordinate, coordinate, coordinate))),
        distance=draw(st.one_of(st.none(), st.floats(0, 100))),
        state=draw(st.sampled_from([None, "new", "persisting", "resolved", "untested"])),
        state_reason=draw(maybe),
        review=draw(st.sampled_from([None, "open", "reviewed", "approved", "ignored"])),
        review_reason=draw(maybe),
        priority=draw(st.sampled_from([None, "High", "Low"])),
        assigned_to=draw(maybe),
        due=draw(st.one_of(st.none(), st.dates(date(1990, 1, 1), date(2100, 1, 1)))),
        group=draw(maybe),
        created=draw(st.sampled_from([None, NOW])),
        comments=tuple(
            Comment(NOW, draw(TEXT), draw(TEXT)) for _ in range(draw(st.integers(0, 2)))
        ),
    )


@st.composite
def any_report(draw: st.DrawFn) -> Report:
    found = [draw(any_finding(number)) for number in range(draw(st.integers(0, 3)))]
    made = report(*found, title=draw(TEXT), project=draw(TEXT), author=draw(TEXT))
    (section,) = made.sections
    section.name, section.warnings = draw(TEXT), [draw(TEXT)]
    return made
