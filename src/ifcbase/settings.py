"""All settings, typed, in one place.

Every setting is an environment variable (or a line of ``.env``); a secret ``X`` may be given as
``X_FILE``, a path to a file that holds it. The table in docs/reference is generated from this class.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ifcbase.errors import ConfigError

PREFIX = "IFCBASE_"


def _variable(name: str) -> Any:
    """A setting whose variable does not start with our prefix because others defined it first."""
    return Field(validation_alias=name)


class Settings(BaseSettings):
    """Durations are in seconds (``_s``), memory in mebibytes (``_mb``)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", populate_by_name=True)

    # --- where things are ---
    home: Path = Field(
        default=Path("~/.ifcbase"),
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
    job_attempts: int = Field(
        default=3, ge=1, le=20, description="Attempts a job is allowed when not its own fault."
    )
    job_timeout_s: float = Field(
        default=3600.0,
        gt=0,
        description="Time budget of one attempt, if the job does not name one.",
    )
    job_memory_mb: int = Field(
        default=6144, ge=256, description="Memory budget of one attempt's child process."
    )

    job_cores: int = Field(
        default=1, ge=1, description="Cores one attempt's child process may use."
    )
    clash_engine: Literal["solid", "reference"] = Field(
        default="solid",
        description="Engine of clash checks: `solid`, or `reference` (as ifcclash does it).",
    )
    mesh_cache_mb: int = Field(
        default=4096, ge=64, description="Size that kept meshes may reach; oldest used go first."
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

    # --- output ---
    log_level: Annotated[str, _variable("LOG_LEVEL")] = Field(
        default="INFO", description="DEBUG, INFO, WARNING or ERROR."
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

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
    def work_folder(self) -> Path:
        """Temporary folders of running jobs."""
        return self.home / "work"

    @property
    def cache_folder(self) -> Path:
        """What can be computed again."""
        return self.home / "cache"


def cache_folder() -> Path:
    """The cache under ``IFCBASE_HOME``, for who needs no other setting: none is read or judged."""
    home = os.environ.get(PREFIX + "HOME") or Settings.model_fields["home"].default
    return Path(home).expanduser().absolute() / "cache"


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
