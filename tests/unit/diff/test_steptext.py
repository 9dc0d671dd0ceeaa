"""Digests prove equality and nothing else: whatever may differ has another digest or none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.diff.steptext import StepText

HEAD = "ISO-10303-21;\nHEADER;\nFILE_SCHEMA(('IFC4'));\nENDSEC;\nDATA;\n"
TAIL = "ENDSEC;\nEND-ISO-10303-21;\n"
ROOTED = {b"IFCWALL", b"IFCPROPERTYSET"}


def text(*records: str) -> StepText:
    data = HEAD + "\n".join(f"{record};" for record in records) + "\n" + TAIL
    return StepText(data.encode("latin-1"), ROOTED.__contains__)


POINT = "#1=IFCCARTESIANPOINT((0.,0.,0.))"


def test_step_ids_and_order_say_nothing() -> None:
    one = text(POINT, "#2=IFCAXIS2PLACEMENT3D(#1,$,$)")
    other = text("#77=IFCAXIS2PLACEMENT3D(#9,$,$)", "#9=IFCCARTESIANPOINT((0.,0.,0.))")
    assert one.of(2) is not None
    assert one.of(2) == other.of(77)


@pytest.mark.parametrize(
    "other",
    [
        "#1=IFCCARTESIANPOINT((0.,0.,1.))",
        "#1=IFCDIRECTION((0.,0.,0.))",
        "#1=IFCCARTESIANPOINT((0.,0.))",
    ],
)
def test_what_is_referred_to_counts(other: str) -> None:
    axes = "#2=IFCAXIS2PLACEMENT3D(#1,$,$)"
    assert text(POINT, axes).of(2) != text(other, axes).of(2)


def test_ids_and_owners_of_rooted_ones_say_nothing_and_names_do() -> None:
    owner = "#1=IFCOWNERHISTORY($,$,$,$,$,$,$,1)"
    one = text(owner, "#2=IFCPROPERTYSET('0ZAXDQao4QDPlz5a5ZAlQp',#1,'Pset',$,())")
    other = text("#2=IFCPROPERTYSET('23IdEp8c6muLt2b_Qvva1m',$,'Pset',$,())")
    renamed = text("#2=IFCPROPERTYSET('0ZAXDQao4QDPlz5a5ZAlQp',$,'Other',$,())")
    assert one.of(2) == other.of(2)
    assert one.of(2) != renamed.of(2)


def test_a_name_that_looks_like_a_global_id_is_a_name() -> None:
    one = text("#1=IFCMATERIAL('0ZAXDQao4QDPlz5a5ZAlQp',$,$)")
    other = text("#1=IFCMATERIAL('23IdEp8c6muLt2b_Qvva1m',$,$)")
    assert one.of(1) != other.of(1)


def test_references_in_texts_are_texts() -> None:
    one = text(POINT, "#2=IFCLABELED('see #1; and #9, it''s ''#1''',#1)")
    assert one.of(2) is not None
    assert one.of(2) != text(POINT, "#2=IFCLABELED('see #2; and #9, it''s ''#1''',#1)").of(2)


def test_a_record_over_several_lines_is_read() -> None:
    one = text("#1\n=\nIFCCARTESIANPOINT\n((0.,0.,0.))", "#2=IFCAXIS2PLACEMENT3D(#1,$,$)")
    assert one.keyword(1) == b"IFCCARTESIANPOINT"
    assert one.of(2) is not None


def test_circles_and_references_to_nothing_prove_nothing() -> None:
    assert text("#1=IFCLOCALPLACEMENT(#2,$)", "#2=IFCLOCALPLACEMENT(#1,$)").of(1) is None
    assert text("#1=IFCLOCALPLACEMENT(#1,$)").of(1) is None
    assert text("#1=IFCLOCALPLACEMENT(#5,$)").of(1) is None
    assert text(POINT).of(4) is None


def test_a_file_with_comments_proves_nothing() -> None:
    assert text("/* a ' */" + POINT).of(1) is None


def test_a_chain_of_ten_thousand_is_followed_without_recursion() -> None:
    records = [f"#{i}=IFCLOCALPLACEMENT(#{i + 1},$)" for i in range(1, 10_000)]
    found = text(*records, "#10000=IFCLOCALPLACEMENT($,$)")
    assert found.of(1) is not None


def test_an_element_is_attributes_placement_and_shape_apart() -> None:
    def wall(name: str, z: str, depth: str) -> StepText:
        return text(
            f"#1=IFCCARTESIANPOINT((0.,0.,{z}))",
            "#2=IFCAXIS2PLACEMENT3D(#1,$,$)",
            "#3=IFCLOCALPLACEMENT($,#2)",
            f"#4=IFCSHAPE({depth})",
            "#5=IFCPRODUCTDEFINITIONSHAPE($,$,(#4))",
            f"#6=IFCWALL('x',$,'{name}',$,$,#3,#5,$,$)",
        )

    base = wall("a", "0.", "1.").of_element(6)
    assert None not in base
    for index, other in enumerate((wall("b", "0.", "1."), wall("a", "1.", "1."),
                                   wall("a", "0.", "2."))):  # fmt: skip
        differs = [x != y for x, y in zip(base, other.of_element(6), strict=True)]
        assert differs == [k == index for k in range(3)]


def test_an_opening_that_hangs_on_its_host_moves_with_it() -> None:
    def hosted(x: str, above: str) -> StepText:
        return text(
            f"#1=IFCCARTESIANPOINT(({x},0.,0.))",
            "#2=IFCAXIS2PLACEMENT3D(#1,$,$)",
            "#3=IFCLOCALPLACEMENT($,#2)",
            "#4=IFCWALL('w',$,'w',$,$,#3,$,$,$)",
            "#5=IFCCARTESIANPOINT((1.,0.,0.))",
            "#6=IFCAXIS2PLACEMENT3D(#5,$,$)",
            f"#7=IFCLOCALPLACEMENT({above},#6)",
            "#8=IFCOPENINGELEMENT('o',$,'o',$,$,#7,$,$,$)",
        )

    assert hosted("0.", "#3").placed_within(8, 4) == hosted("9.", "#3").placed_within(8, 4)
    assert hosted("0.", "$").placed_within(8, 4) != hosted("0.", "#3").placed_within(8, 4)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.E-009", "1.E-09"),
        ("1.E-09", "1.000E-9"),
        ("0.06345000000000001", "0.06345"),
        ("8.800000000000003", "8.800000000000002"),
        ("-17.59150", "-17.5915"),
        ("2.50E+001", "25."),
        ("3.000", "3."),
        ("100.", "100.00"),
    ],
)
def test_a_file_written_anew_is_the_same(one: str, other: str) -> None:
    point = "#1=IFCCARTESIANPOINT((0.5,{},7.))".format
    assert text(point(one)).of(1) == text(point(other)).of(1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.E-009", "1.E-08"),
        ("0.063450000001", "0.06345"),
        ("500000.0000001", "500000."),
        ("1.5", "-1.5"),
        ("100.", "10."),
        ("1.E+2", "1.E-2"),
        ("3.", "3"),
        ("'3.000'", "'3.'"),
        ("'1.E-009'", "'1.E-09'"),
        ("'see 0.06345000000000001'", "'see 0.06345'"),
    ],
)
def test_what_is_another_number_or_a_text_is_another(one: str, other: str) -> None:
    record = "#1=IFCTHING($,{},.T.,#2)".format
    point = "#2=IFCCARTESIANPOINT((0.,0.))"
    assert text(record(one), point).of(1) != text(record(other), point).of(1)


@given(st.floats(-1e9, 1e9, allow_subnormal=False))
@settings(deadline=None, max_examples=200)
def test_equal_digests_are_numbers_equal_in_thirteen_digits(value: float) -> None:
    def written(number: float) -> str:
        shown = repr(number).upper()
        return shown if "." in shown else shown.replace("E", ".E")

    def digest(number: float) -> bytes | None:
        return text(f"#1=IFCCARTESIANPOINT(({written(number)}))").of(1)

    assert digest(value) == digest(value)
    for relative in (1e-11, -1e-11, 1e-6):
        other = value * (1 + relative)
        assert (digest(value) == digest(other)) is (other == value)
