"""Existing clients: every call that the nodes of n8n make, with their fields, and what they read."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from ifcbase.gateway import jobs
from tests.integration.gateway.conftest import Served

#: What a loaded machine may need for what takes seconds.
PATIENCE_S = 120.0


def call(served: Served, method: str, path: str, who: str = "editor", **request: Any) -> Any:
    """A call that succeeds; its document."""
    answer = served.client.request(method, path, headers=served.headers(who), **request)
    assert answer.status_code == 200, answer.text
    return answer.json()


def finished(served: Served, job: str) -> dict[str, Any]:
    """What a client that polls gets in the end, as the node does it."""
    deadline = time.monotonic() + PATIENCE_S
    while (status := call(served, "GET", f"/jobs/{job}/status"))["status"] != "finished":
        assert status["status"] in {"queued", "started"}, status
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    return dict(status)


def downloaded(served: Served, path: str) -> bytes:
    """A file as the node downloads it: it takes the token by either of its names."""
    link = call(served, "POST", "/create_download_link", json={"file_path": path})
    assert link["token"] == link["download_token"]
    assert link["preview_url"].endswith(f"/download/{link['token']}")
    answer = served.client.get(f"/download/{link['token']}")
    assert answer.status_code == 200
    return answer.content


@pytest.mark.usefixtures("worker")
def test_a_client_of_n8n_gets_what_it_expects(
    served: Served, building: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its test of the credentials.
    assert call(served, "GET", "/health")["status"] == "healthy"
    files = call(served, "GET", "/list_directories")["files"]
    assert {"/uploads/walls.ifc", "/uploads/pipes.ifc", "/uploads/rules.ids"} <= set(files)

    # All four are submitted at once, each in one of the ways in which clients name files.
    clash = call(
        served, "POST", "/ifcclash",
        json={
            "clash_sets": [
                {"name": "walls vs pipes", "a": [{"file": "walls.ifc"}],
                 "b": [{"file": "/uploads/pipes.ifc"}]}
            ],
            "output_filename": "clash.json", "tolerance": 0.01, "mode": "intersection",
            "smart_grouping": False, "max_cluster_distance": 5.0, "input_version_id": None,
        },
    )["job_id"]  # fmt: skip
    convert = call(
        served, "POST", "/ifcconvert",
        json={
            "input_filename": "uploads/walls.ifc", "output_filename": "/output/converted/walls.glb",
            "verbose": True, "plan": False, "model": True, "weld_vertices": False,
            "use_world_coords": True, "convert_back_units": False, "sew_shells": False,
            "merge_boolean_operands": False, "disable_opening_subtractions": False, "bounds": "",
            "include": [], "exclude": [], "log_file": "",
        },
    )["job_id"]  # fmt: skip
    tester = call(
        served, "POST", "/ifctester",
        json={"ifc_filename": "s3://ifcpipeline/uploads/walls.ifc", "ids_filename": "rules.ids",
              "output_filename": "rules.html", "report_type": "html"},
    )["job_id"]  # fmt: skip
    diff = call(
        served, "POST", "/ifcdiff",
        json={"old_file": "walls.ifc", "new_file": "walls_v2.ifc", "output_file": "diff.json",
              "is_shallow": True, "filter_elements": ""},
    )["job_id"]  # fmt: skip

    found = finished(served, clash)
    assert found["error"] is None
    assert found["execution_time_seconds"] > 0
    assert found["result"]["success"] is True
    assert found["result"]["clash_count"] == 1
    assert isinstance(found["result"]["db_id"], int)
    assert found["result"]["output_path"] == "/output/clash/clash.json"
    (report,) = json.loads(downloaded(served, found["result"]["output_path"]))
    assert (report["name"], len(report["clashes"])) == ("walls vs pipes", 1)
    # The keys that the plan's worker gave.
    assert {"success", "result", "clash_count", "output_path", "db_id", "db_ids"} <= set(
        found["result"]
    )
    (told,) = found["result"]["result"]
    assert told["name"] == report["name"]
    assert set(told["clashes"]) == set(report["clashes"])
    monkeypatch.setattr(jobs, "REPORTED_WHOLE", 0)
    assert finished(served, clash)["result"]["result"] is None

    found = finished(served, convert)["result"]
    assert found["success"] is True
    assert found["message"] == "Conversion successful"
    assert found["output_path"] == "/output/converted/walls.glb"
    assert downloaded(served, found["output_path"])[:4] == b"glTF"

    found = finished(served, tester)["result"]
    assert [found[f"{word}_specifications"] for word in ("total", "passed", "failed")] == [1, 0, 1]
    page = downloaded(served, found["output_path"]).decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page

    found = finished(served, diff)["result"]
    assert {"added": 1, "deleted": 0, "changed": 0}.items() <= found["summary"].items()
    document = json.loads(downloaded(served, "/output/diff/diff.json"))
    assert len(document["added"]) == 1

    # The same models as versions, as our own clients name them: one more result of the same set.
    submitted = served.client.post(
        "/v1/jobs/clash", headers=served.headers(),
        json={"clash_sets": [{"name": "walls vs pipes", "a": [{"file": "model:walls@1"}],
                              "b": [{"file": "model:pipes"}]}]},
    )  # fmt: skip
    assert submitted.status_code == 202, submitted.text
    job = submitted.json()
    assert job["versions"] == {"model:walls@1": ["walls", 1], "model:pipes": ["pipes", 1]}
    assert finished(served, job["job_id"])["result"]["verdict"] == "found"
    shown = served.client.get(submitted.headers["Location"], headers=served.headers()).json()
    assert (shown["state"], len(shown["attempts"])) == ("finished", 1)
    (chain,) = call(served, "GET", "/v1/sets")
    assert (chain["name"], chain["results"], chain["persisting"]) == ("walls vs pipes", 2, 1)

    # What a job made can be given to the next by the path it was told under.
    files = call(served, "GET", "/list_directories")["files"]
    assert {"/output/clash/clash.json", "/output/ids/rules.html"} <= set(files)


@pytest.mark.usefixtures("building")
def test_the_state_of_a_job_is_told_in_old_words(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Never delivered: a worker that another test began may still be there.
    monkeypatch.setattr(served.gateway.engine, "deliver", lambda *_: None)
    job = call(
        served, "POST", "/ifcconvert",
        json={"input_filename": "pipes.ifc", "output_filename": "never.glb"},
    )["job_id"]  # fmt: skip
    served.sql("select core.cancel_job(%s)", job)
    status = call(served, "GET", f"/jobs/{job}/status")
    # Clients stop asking at "finished" and "failed" only.
    assert (status["status"], status["state"]) == ("failed", "cancelled")
    assert "cancelled" in status["error"]
    assert {"job_id", "result", "progress", "created_at", "started_at", "ended_at"} <= set(status)
    again = call(served, "POST", f"/jobs/{job}/requeue")
    assert again == {"job_id": job, "status": "queued", "requeued": True}
    refused = served.client.post(f"/jobs/{job}/requeue", headers=served.headers())
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    served.sql("select core.cancel_job(%s)", job)


@pytest.mark.usefixtures("building")
def test_a_crash_is_told_in_words_that_clients_look_for(served: Served) -> None:
    job = call(
        served, "POST", "/ifcconvert",
        json={"input_filename": "pipes.ifc", "output_filename": "crashed.glb"},
    )["job_id"]  # fmt: skip
    served.sql(
        "update core.jobs set state = 'failed', ended_at = now(), error = %s where id = %s",
        json.dumps({"title": "The native geometry library crashed", "code": "native-crash",
                    "message": "the child ended by SIGSEGV", "hint": "Try again."}), job,
    )  # fmt: skip
    status = call(served, "GET", f"/jobs/{job}/status")
    assert status["status"] == "failed"
    assert "(signal 11)" in status["error"]


BROKEN: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("/ifcclash", {"clash_sets": []}, 422, "request-invalid", "clash_sets"),
    ("/ifcclash", {}, 422, "request-invalid", "clash_sets"),
    (
        "/ifcclash",
        {"clash_sets": [{"a": [{"file": "walls.ifc"}], "b": []}], "tolerance": -1},
        422, "request-invalid", "tolerance",
    ),
    (
        "/ifcclash",
        {"clash_sets": [{"a": [{"file": "walls.ifc"}], "b": []}], "mode": "clearance"},
        422, "request-invalid", "clearance",
    ),
    (
        "/ifcclash",
        {"clash_sets": [{"a": [{"file": "walls.ifc", "mode": "x"}], "b": []}]},
        422, "request-invalid", "clash_sets[0].a[0].mode",
    ),
    (
        "/ifcclash",
        {"clash_sets": [{"a": [{"file": "walls.ifc", "selector": "((", "mode": "i"}], "b": []}]},
        422, "selector-invalid", "clash_sets[0].a[0].selector",
    ),
    ("/ifctester", {"ifc_filename": "walls.ifc"}, 422, "request-invalid", "ids_filename"),
    (
        "/ifctester",
        {"ifc_filename": "walls.ifc", "ids_filename": "rules.ids", "report_type": "pdf"},
        422, "request-invalid", "report_type",
    ),
    (
        "/ifcconvert", {"input_filename": "walls.ifc", "output_filename": "walls.dwg"},
        422, "output-unsupported", "output_filename",
    ),
    (
        "/ifcdiff", {"old_file": "walls.ifc", "new_file": "walls_v2.ifc", "relationships": ["x"]},
        422, "request-invalid", "relationships",
    ),
    (
        "/ifcdiff", {"old_file": "walls.ifc", "new_file": "no such.ifc"},
        404, "file-missing", "no such.ifc",
    ),
    (
        "/ifcclash", {"clash_sets": [{"a": [{"file": "missing.ifc"}], "b": []}]},
        404, "file-missing", "missing.ifc",
    ),
    (
        "/ifcdiff", {"old_file": "walls.ifc", "new_file": "rules.ids"},
        422, "not-ifc", "rules.ids",
    ),
    (
        "/ifctester", {"ifc_filename": "walls.ifc", "ids_filename": "walls.ifc"},
        422, "not-ids", "walls.ifc",
    ),
    (
        "/ifcdiff",
        {"old_file": "walls.ifc", "new_file": "walls_v2.ifc", "old_version_id": "7"},
        422, "request-invalid", "version",
    ),
    *(
        (
            "/ifcdiff",
            {"old_file": "walls.ifc", "new_file": "walls_v2.ifc", "input_version_ids": wrong},
            422, "request-invalid", "input_version_ids",
        )
        for wrong in ("abc", ["a"], 5)
    ),
]  # fmt: skip


@pytest.mark.usefixtures("building")
@pytest.mark.parametrize(("path", "document", "status", "code", "named"), BROKEN)
def test_what_cannot_be_done_is_refused_when_it_is_submitted(
    served: Served, path: str, document: dict[str, Any], status: int, code: str, named: str
) -> None:
    before = served.sql("select count(*) from core.jobs")
    answer = served.client.post(path, headers=served.headers(), json=document)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    fields = [each["field"] for each in problem.get("errors", [])]
    assert named in problem["detail"] or any(each.startswith(named) for each in fields), problem
    assert served.sql("select count(*) from core.jobs") == before


@pytest.mark.usefixtures("building")
def test_a_version_pins_the_bytes_a_name_had(
    served: Served, building: Path, tmp_path: Path
) -> None:
    name = f"{uuid.uuid4().hex}.ifc"
    first = served.upload(building / "walls.ifc", name)
    second = served.upload(building / "pipes.ifc", name)
    made = {}
    for pin in (first, None):
        job = call(
            served, "POST", "/ifcconvert",
            json={"input_filename": name, "output_filename": f"{pin}.glb", "input_version_id": pin},
        )["job_id"]  # fmt: skip
        made[pin] = served.sql("select sha256 from core.job_inputs where job_id = %s", job)
        served.sql("select core.cancel_job(%s)", job)
    assert made == {first: [(first,)], None: [(second,)]}
    unknown = served.client.post(
        "/ifcconvert", headers=served.headers(),
        json={"input_filename": name, "output_filename": "x.glb", "input_version_id": "0" * 64},
    )  # fmt: skip
    assert unknown.status_code == 404


def test_a_file_that_was_fit_once_is_not_taken_when_its_bytes_are_gone(
    served: Served, building: Path
) -> None:
    """The job was accepted, and failed when a worker looked for them."""
    copy = building / "vanishing.ifc"
    copy.write_bytes((building / "pipes.ifc").read_bytes() + b"\n")
    sha256 = served.upload(copy)
    request = {"input_filename": copy.name, "output_filename": "gone.glb"}
    job = call(served, "POST", "/ifcconvert", json=request)["job_id"]
    served.sql("select core.cancel_job(%s)", job)
    served.gateway.files.fetch("alpha", sha256).unlink()
    refused = served.client.post("/ifcconvert", headers=served.headers(), json=request)
    assert (refused.status_code, refused.json()["code"]) == (404, "file-missing")
    assert "vanishing.ifc" in refused.json()["detail"]


@pytest.mark.usefixtures("building")
def test_the_same_idempotency_key_is_the_same_job(served: Served) -> None:
    key = uuid.uuid4().hex
    headers = served.headers() | {"Idempotency-Key": key}
    document = {"input_filename": "pipes.ifc", "output_filename": "once.glb"}
    jobs = {
        served.client.post("/ifcconvert", headers=headers, json=document).json()["job_id"]
        for _ in range(2)
    }
    assert len(jobs) == 1
    other = served.client.post(
        "/ifcconvert", headers=headers, json=document | {"output_filename": "other.glb"}
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    served.sql("select core.cancel_job(%s)", jobs.pop())


@pytest.mark.usefixtures("building")
def test_a_job_says_who_asked_for_it_in_which_request(served: Served) -> None:
    given = uuid.uuid4().hex
    answer = served.client.post(
        "/ifcconvert", headers=served.headers() | {"X-Request-Id": given},
        json={"input_filename": "pipes.ifc", "output_filename": "whose.glb"},
    )  # fmt: skip
    job = answer.json()["job_id"]
    prefix = served.keys["editor"].split("_")[1]
    assert served.sql("select request_id, submitted_by from core.jobs where id = %s", job) == [
        (given, f"key:{prefix}")
    ]
    noted = served.sql(
        "select request_id, caller, action, object from core.audit where object = %s", job
    )
    assert noted == [(given, f"key:{prefix}", "submit conversion", job)]
    served.sql("select core.cancel_job(%s)", job)
