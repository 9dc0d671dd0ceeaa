"""The stream a file's name suggests. Joining two models wrongly is worse than keeping them apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.jobs.submit import stream_name


@pytest.mark.parametrize(
    ("file", "stream"),
    [
        ("ARC_rev-B.ifc", "ARC"),
        ("ARC_revB.ifc", "ARC"),
        ("ARC_REV_12.ifc", "ARC"),
        ("ARC_Rev C02.1.ifc", "ARC"),
        ("ARC_rev0.ifc", "ARC"),
        ("ARC Index B.ifc", "ARC"),
        ("ARC - rev A - 2026-03-01.IFC", "ARC"),
        ("ARC_V1.2_20260301.ifc", "ARC"),
        ("ARC_01-03-2026.ifc", "ARC"),
        ("ARC_01.03.2026.ifc", "ARC"),
        ("ARC-2026_03_01.ifc", "ARC"),
        ("MEP 2026-03-01.ifc", "MEP"),
        ("S-01_v12.ifc", "S-01"),
        ("B3_Structure_R02.ifc", "B3_Structure"),
        ("Tower (Rev 3).ifc", "Tower"),
        ("Tower(v3).ifc", "Tower"),
        ("a.b_v2.ifc", "a.b"),
        ("Überbau_v2.ifc", "Überbau"),
        ("Building-Architecture_revision_7.ifc", "Building-Architecture"),
    ],
)
def test_dates_and_revisions_go(file: str, stream: str) -> None:
    assert stream_name(file) == stream


@pytest.mark.parametrize(
    "stem",
    [
        "Building-Architecture",
        "Building-Structure",
        "YTONG-Kavel_05",
        "YTONG-Kavel_01",
        "S-01",
        "Model (2)",  # a copy, a later download or a second building: nobody can know
        "House_Revit",  # regression: "Rev" and "it" were taken for a revision
        "ARC-Review",
        "ARC-Reverse",
        "ARC_Revit2024",
        "ARC_revision",
        "ARC-Version-final",
        "ARC_2026",
        "ARC_P01",
        "ARC_R2D2",
        "Level_R",
        "Wing-V",
        "ARC-Riverside",
        "20260301_ARC",
        "ARC-2026-13-45",  # no date
        "Überbau_Index",
    ],
)
def test_what_may_tell_models_apart_stays(stem: str) -> None:
    assert stream_name(f"{stem}.ifc") == stem


@pytest.mark.parametrize("file", ["v2.ifc", "rev-B.ifc", "2026-03-01.ifc", "Version.ifc", "r1.ifc"])
def test_a_name_that_is_only_a_revision_is_kept(file: str) -> None:
    assert stream_name(file) == file.removesuffix(".ifc")


@given(st.text(max_size=40), st.sampled_from(["_v3", " rev B", "-2026-01-31", "_R02", " (Rev 3)"]))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_it_always_gives_a_name_and_takes_it_as_it_is(stem: str, token: str) -> None:
    clean = stem.replace("/", "").replace("\x00", "").replace("\\", "")
    name = stream_name(f"{clean}.ifc")
    assert name
    assert stream_name(f"{name}.ifc") == name, "a stream's name suggests itself"
    if name.strip(" _.-()") and "." not in clean and name[-1].isalpha():
        assert stream_name(f"{name}{token}.ifc") == name
