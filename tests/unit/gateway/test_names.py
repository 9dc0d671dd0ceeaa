"""Names of files: keys of the project, and nothing that could lead anywhere else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import RequestInvalid
from ifcbase.gateway import names


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("model.ifc", "uploads/model.ifc"),
        ("uploads/model.ifc", "uploads/model.ifc"),
        ("/uploads/model.ifc", "uploads/model.ifc"),
        ("/examples/x.ifc", "examples/x.ifc"),
        ("/output/diff/x.json", "output/diff/x.json"),
        ("s3://ifcpipeline/uploads/model.ifc", "uploads/model.ifc"),
        ("Grundriß Süd, 2. OG (neu).IFC", "uploads/Grundriß Süd, 2. OG (neu).IFC"),
        # The same letter in two spellings is one name.
        ("a\u0308.ifc", "uploads/\u00e4.ifc"),
        # What a shell or a program would take for something else is a name like any other.
        ("--help;$(id)`|&.ifc", "uploads/--help;$(id)`|&.ifc"),
        ("/etc/passwd", "etc/passwd"),
    ],
)
def test_every_spelling_of_a_name_is_a_key(name: str, key: str) -> None:
    assert names.key_of(name) == key


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "//", ".", "..", "../x.ifc", "uploads/../../etc/passwd", "uploads//x.ifc", "a/./b",
        "uploads/", "..\\x.ifc", "C:\\x.ifc", "x\0.ifc", "x\n.ifc", "\ud800.ifc", " x.ifc", "x.ifc ",
        "x" * 256, "a/" * 600 + "x", "s3://", "s3://other/uploads/x.ifc", "s3://ifcpipeline/../x.ifc",
        "s3://ifcpipeline", "/../x",
    ],
)  # fmt: skip
def test_what_could_lead_elsewhere_is_refused(name: str) -> None:
    for judge in (names.key_of, names.upload_key, lambda text: names.output_name("clash", text)):
        with pytest.raises(RequestInvalid, match="is no name of a file"):
            judge(name)


@given(st.text(max_size=80))
@settings(deadline=None, max_examples=150)
def test_no_key_leaves_its_folder(text: str) -> None:
    try:
        key = names.key_of(text)
    except RequestInvalid:
        return
    parts = key.split("/")
    assert len(parts) >= 2
    assert not {"", ".", ".."} & set(parts)
    assert "\0" not in key
    # A key is a name of itself.
    assert names.key_of(key) == key
    assert names.key_of("/" + key) == key


@pytest.mark.parametrize(
    ("check", "name", "placed"),
    [
        ("clash", "a.json", "a.json"),
        ("clash", "/output/clash/a.json", "a.json"),
        ("clash", "output/clash/week 3/a.json", "week 3/a.json"),
        ("tester", "/output/ids/r.html", "r.html"),
        # Never in place of an upload, nor of another check's output.
        ("clash", "uploads/model.ifc", "uploads/model.ifc"),
        ("clash", "/output/ids/r.html", "output/ids/r.html"),
    ],
)
def test_outputs_stay_in_the_folder_of_their_check(check: str, name: str, placed: str) -> None:
    assert names.output_name(check, name) == placed
    path = names.output_path(check, placed)
    assert path.startswith(f"/output/{names.OUTPUTS[check]}/")
    assert names.output_name(check, path) == placed


def test_a_version_of_a_model_is_named() -> None:
    assert names.parse("model:Architecture") == names.VersionName("Architecture", None)
    assert names.parse("model:A@3") == names.VersionName("A", 3)
    assert names.parse("model:a@b.org@12") == names.VersionName("a@b.org", 12)
    for broken in ("model:", "model:x\0", f"model:{'x' * 300}"):
        with pytest.raises(RequestInvalid):
            names.parse(broken)
