"""All settings, typed, in one place.

Every setting is an environment variable (or a line of ``.env``); a secret ``X`` may be given as
``X_FILE``, a path to a file that holds it. The table in docs/reference is generated from this class.
"""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ifcbase import defaults
from ifcbase.defaults import PREFIX
from ifcbase.errors import ConfigError


def _variable(name: str) -> Any:
    """A setting whose variable does not start with our prefix because others defined it first."""
    return Field(validation_alias=name)


class Settings(BaseSettings):
    """Durations are in seconds (``_s``), memory in mebibytes (``_mb``)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", populate_by_name=True)

    # --- where things are ---
    home: Path = Field(
        default=defaults.HOME,
        description="Folder of the embedded database, files, caches and logs.",
    )
    embedded: bool = Field(
        default=False,
        description="Start and use the embedded Postgres. Set by `make demo` and `make up`; "
        "refused inside the container image.",
    )
    container: bool = Field(
        default=False, description="Set inside the container image, where nothing is embedded."
    )
    database_url: Annotated[SecretStr | None, _variable("DATABASE_URL")] = Field(
        default=None,
        description="Postgres connection string; it wins over everything else.",
    )
    supabase_url: Annotated[str | None, _variable("SUPABASE_URL")] = Field(
        default=None,
        description="Address of Supabase's gateway; used with a key where DATABASE_URL is not set.",
    )
    supabase_service_key: Annotated[SecretStr | None, _variable("SUPABASE_SERVICE_KEY")] = Field(
        default=None, description="Service key (JWT or `sb_secret_…`): may do everything."
    )
    supabase_publishable_key: Annotated[SecretStr | None, _variable("SUPABASE_PUBLISHABLE_KEY")] = (
        Field(
            default=None,
            description="Publishable key; with SUPABASE_WORKER_JWT it is used instead of the service key.",
        )
    )
    supabase_anon_key: Annotated[SecretStr | None, _variable("SUPABASE_ANON_KEY")] = Field(
        default=None, description="The older form of the publishable key."
    )
    supabase_worker_jwt: Annotated[SecretStr | None, _variable("SUPABASE_WORKER_JWT")] = Field(
        default=None,
        description="Token of the role `ifc_worker`, which may do what a worker needs and no more.",
    )
    project: str = Field(default="default", description="Project used when none is named.")

    # --- jobs ---
    lease_s: float = Field(
        default=20.0,
        ge=1,
        description="How long an attempt may be silent before its job is given to another.",
    )
    heartbeat_s: float = Field(
        default=1.0,
        gt=0,
        description="How often a running attempt renews its lease and looks whether it is cancelled.",
    )
    reap_s: float = Field(
        default=5.0, gt=0, description="How often lapsed leases and lost deliveries are looked for."
    )
    tend_s: float = Field(
        default=60.0, gt=0, description="How often a worker looks whether a schedule is due."
    )
    job_attempts: int = Field(
        default=3, ge=1, le=20, description="Attempts a job is allowed when not its own fault."
    )
    job_timeout_s: float = Field(
        default=defaults.JOB_TIMEOUT_S,
        gt=0,
        description="Time budget of one attempt, if the job does not name one.",
    )
    job_memory_mb: int = Field(
        default=defaults.JOB_MEMORY_MB,
        ge=256,
        description="Memory budget of one attempt's child process.",
    )

    host_memory_mb: int | None = Field(
        default=None,
        ge=256,
        description="Memory that all jobs on this machine share; nine tenths of it by default. "
        "A job waits until what it is expected to need fits.",
    )
    job_cores: int = Field(
        default=1, ge=1, description="Cores one attempt's child process may use."
    )
    spool_after_s: float = Field(
        default=15.0,
        ge=0,
        description="How long a worker tries to store a result before it puts it into its spool "
        "and goes on.",
    )
    spool_retry_s: float = Field(
        default=15.0, gt=0, description="How often a worker tries to store what is in its spool."
    )
    spool_silence_s: float = Field(
        default=3600.0,
        ge=10,
        le=86400,
        description="How long the host of a spooled result may be silent before the job is "
        "computed again elsewhere.",
    )
    spool_mb: int = Field(
        default=20480, ge=0, description="Size that the spool may reach; 0: nothing is spooled."
    )
    clash_engine: Literal["solid", "reference"] = Field(
        default="solid",
        description="Engine of clash checks: `solid`, or `reference` (as ifcclash does it).",
    )
    mesh_cache_mb: int = Field(
        default=4096, ge=64, description="Size that kept meshes may reach; oldest used go first."
    )

    redis_url: Annotated[SecretStr | None, _variable("REDIS_URL")] = Field(
        default=None,
        description="Redis or Valkey that delivers jobs (by RQ); without it Postgres does.",
    )
    production: bool = Field(
        default=False,
        description="Refuse what else is only warned of, as a Redis that forgets its queue.",
    )
    # --- backups ---
    backup_folder: Path | None = Field(
        default=None, description="Folder of the backups; `backups` in IFCBASE_HOME if not set."
    )
    backup_passphrase: SecretStr | None = Field(
        default=None,
        description="Encrypts new backups and opens encrypted ones; nobody can recover it.",
    )
    backup_keep_daily: int = Field(
        default=7, ge=1, description="Of how many days the last backup is kept."
    )
    backup_keep_weekly: int = Field(
        default=5, ge=0, description="Of how many weeks the last backup is kept."
    )
    backup_keep_monthly: int = Field(
        default=12, ge=0, description="Of how many months the last backup is kept."
    )
    backup_at: str = Field(
        default="02:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="Time of day of `ifcbase backup daily`, in IFCBASE_BACKUP_ZONE.",
    )
    backup_zone: str = Field(
        default="UTC", description="Time zone of IFCBASE_BACKUP_AT, such as `Europe/Zurich`."
    )
    # --- the gateway ---
    jwt_secret: Annotated[SecretStr | None, _variable("JWT_SECRET")] = Field(
        default=None,
        description="Supabase's JWT secret (HS256): the gateway then knows tokens signed with it.",
    )
    jwks_url: str | None = Field(
        default=None,
        description="Where Supabase's public keys are, if it signs with RS256 or ES256: "
        "`<SUPABASE_URL>/auth/v1/.well-known/jwks.json`.",
    )
    jwt_audience: str = Field(
        default="authenticated", description="The audience a token must be made for."
    )
    public_url: str | None = Field(
        default=None,
        description="How clients reach the gateway, for links in its answers; if not set, as the "
        "request did.",
    )
    download_s: float = Field(
        default=1800.0, gt=0, le=604_800, description="How long a download link holds."
    )
    gateway_connections: int = Field(
        default=16, ge=2, le=200, description="Database connections of one gateway at most."
    )
    auth_failures: int = Field(
        default=20,
        ge=1,
        description="Wrong credentials one address may send in a minute before it has to wait.",
    )

    # --- files that come in, addresses that are asked ---
    upload_max_mb: int = Field(
        default=4096, ge=1, description="Largest file that is taken, unpacked, in mebibytes."
    )
    upload_keep_s: float = Field(
        default=86_400.0, gt=0, description="How long an unfinished upload may lie untouched."
    )
    fetch_s: float = Field(
        default=600.0, gt=0, description="Longest time a file may take to come from an address."
    )
    fetch_private: str = Field(
        default="",
        description="What may be asked although it is not public, by fetches and webhooks: names, "
        "`.suffixes` and networks, comma-separated.",
    )
    fetch_hosts: str = Field(
        default="",
        description="If set, no other host is asked, by fetches and webhooks: names and "
        "`.suffixes`, comma-separated.",
    )
    webhooks: bool = Field(
        default=True, description="Whether this gateway or worker delivers events to webhooks."
    )
    webhook_s: float = Field(
        default=15.0, gt=0, le=25, description="How long an endpoint may take to answer."
    )
    webhook_disable_s: float = Field(
        default=432_000.0,
        gt=0,
        description="After how long without a single success an endpoint is switched off.",
    )
    event_listeners: int = Field(
        default=500, ge=1, description="How many may listen to events of one gateway at once."
    )
    metrics_public: bool = Field(
        default=False,
        description="Whether `/metrics` answers others than this machine; nothing in it names a "
        "project, a person or a file.",
    )

    # --- files ---
    files_backend: Literal["local", "supabase"] = Field(
        default="local",
        description="Where bytes lie: `local` (a folder under IFCBASE_HOME that all workers see), or "
        "`supabase` (Storage, by SUPABASE_URL and a key).",
    )
    files_cache_mb: int = Field(
        default=20480,
        ge=64,
        description="Size that local copies of files in Storage may reach; oldest used go first.",
    )
    supabase_public_url: Annotated[str | None, _variable("SUPABASE_PUBLIC_URL")] = Field(
        default=None,
        description="Supabase's gateway as browsers reach it, for download links; else SUPABASE_URL.",
    )

    # --- reports and monitoring ---
    report_folder: Path | None = Field(
        default=None,
        description="Folder of the weekly reports; `reports` in IFCBASE_HOME if not set.",
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535,
        description="Port on which a worker answers `/metrics`; 0: none. Workers of one machine "
        "that find it taken use the next ones.",
    )  # fmt: skip
    metrics_host: str = Field(
        default="127.0.0.1", description="Address on which a worker answers `/metrics`."
    )

    reader_password: SecretStr | None = Field(
        default=None,
        description="Password that `ifcbase db reader` gives the role as which dashboards read.",
    )
    reader_projects: str = Field(
        default="",
        description="The projects dashboards see, comma-separated; all of them if empty.",
    )

    # --- output ---
    log_level: Annotated[str, _variable("LOG_LEVEL")] = Field(
        default="INFO", description="DEBUG, INFO, WARNING or ERROR."
    )

    log_format: Literal["text", "json"] = Field(
        default="text",
        description="How workers write their log; the gateway's is always JSON. Both name the request "
        "a line is about.",
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("backup_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zone_named(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"{value} is no time zone here; write it as `Europe/Zurich`, or UTC"
            ) from error
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = value.upper()
        if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("use DEBUG, INFO, WARNING or ERROR")
        return level

    @property
    def files_folder(self) -> Path:
        """Where the bytes of uploads and outputs lie, by content."""
        return self.home / "files"

    @property
    def backups(self) -> Path:
        """The folder of the backups."""
        return (self.backup_folder or self.home / "backups").expanduser().absolute()

    @property
    def spool_folder(self) -> Path:
        """Results that wait until the database can be reached."""
        return self.home / "spool"

    @property
    def reports(self) -> Path:
        """The folder of the weekly reports."""
        return (self.report_folder or self.home / "reports").expanduser().absolute()

    @property
    def work_folder(self) -> Path:
        """Temporary folders of running jobs."""
        return self.home / "work"

    @property
    def cache_folder(self) -> Path:
        """What can be computed again."""
        return self.home / "cache"


def zone_named(name: str) -> tzinfo:
    """A time zone by its name; UTC also on a machine without a list of zones. Raises KeyError,
    ValueError, OSError."""
    return UTC if name == "UTC" else ZoneInfo(name)


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else PREFIX + name.upper()


def _secrets_from_files() -> dict[str, Any]:
    """Values of secrets given as ``X_FILE``."""
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        if "SecretStr" not in str(field.annotation):
            continue
        path = os.environ.get(variable_of(name) + "_FILE")
        if path:
            try:
                found[name] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ConfigError(f"{variable_of(name)}_FILE cannot be read: {error}") from error
    return found


def _refuse_unknown() -> None:
    known = {variable_of(name) for name in Settings.model_fields}
    known |= {name + "_FILE" for name in known}
    # Where our own client looks for the gateway and its key.
    known |= {"IFCBASE_URL", "IFCBASE_API_KEY"}
    # Variables of the test suite and of development, not of the service.
    known |= {"IFCBASE_MODELS", "IFCBASE_IDS_CASES", "IFCBASE_TEST_DATABASE_URL"}
    unknown = sorted(k for k in os.environ if k.startswith(PREFIX) and k not in known)
    if unknown:
        raise ConfigError(
            f"unknown setting {', '.join(unknown)}",
            hint="Check the spelling against `ifcbase config show`, or unset it.",
        )


def load_settings(**overrides: Any) -> Settings:
    """Read the settings afresh. Raises ConfigError naming the variable that is wrong."""
    _refuse_unknown()
    try:
        return Settings(**_secrets_from_files(), **overrides)
    except ValidationError as error:
        problems = "; ".join(f"{_named(e['loc'])}: {e['msg']}" for e in error.errors())
        raise ConfigError(problems) from error


def _named(loc: tuple[int | str, ...]) -> str:
    """The variable that pydantic complains about by its field's name or its alias."""
    name = str(loc[0]) if loc else "settings"
    return variable_of(name) if name in Settings.model_fields else name


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
