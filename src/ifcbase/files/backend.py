"""The files backend the settings choose."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from ifcbase.errors import ConfigError
from ifcbase.files.local import LocalFiles
from ifcbase.files.store import FileStore, Remover
from ifcbase.settings import Settings

if TYPE_CHECKING:
    from ifcbase.files.objects import StorageObjects
    from ifcbase.files.storage import SupabaseFiles


def file_store(settings: Settings) -> FileStore:
    """Where bytes lie: the local folder, or Storage. Raises ConfigError."""
    if settings.files_backend == "local":
        return LocalFiles(settings.files_folder)
    return supabase_files(settings)


def supabase_files(settings: Settings) -> SupabaseFiles:
    """Storage as the settings say; a worker's token is preferred to the service key. Raises
    ConfigError."""
    # Here and not above: most commands need no HTTP client.
    from ifcbase.files.storage import SupabaseFiles
    from ifcbase.files.storage_http import StorageHttp

    if not settings.supabase_url:
        raise ConfigError(
            "IFCBASE_FILES_BACKEND=supabase needs SUPABASE_URL",
            hint="Set it to Supabase's gateway, as http://supabase-kong:8000.",
        )
    public = settings.supabase_publishable_key or settings.supabase_anon_key
    token = settings.supabase_worker_jwt
    if token and public:
        key, bearer = public.get_secret_value(), token.get_secret_value()
    elif settings.supabase_service_key:
        key, bearer = settings.supabase_service_key.get_secret_value(), None
    else:
        raise ConfigError(
            "IFCBASE_FILES_BACKEND=supabase needs a key",
            hint="Set SUPABASE_SERVICE_KEY; or SUPABASE_WORKER_JWT and SUPABASE_ANON_KEY.",
        )
    return SupabaseFiles(
        StorageHttp(settings.supabase_url, key, bearer),
        settings.cache_folder / "files",
        cache_mb=settings.files_cache_mb,
        spare_s=max(settings.job_timeout_s, 3600.0),
    )


def storage_objects(
    settings: Settings, *, tries: int = 8, stall_s: float = 60.0
) -> StorageObjects | None:
    """Storage with the rights of the service, where bytes lie there and the key is known."""
    from ifcbase.files.objects import StorageObjects
    from ifcbase.files.storage_http import StorageHttp

    key = settings.supabase_service_key
    if settings.files_backend == "local" or not settings.supabase_url or not key:
        return None
    http = StorageHttp(settings.supabase_url, key.get_secret_value(), tries=tries, stall_s=stall_s)
    return StorageObjects(http)


def remover(settings: Settings) -> Remover | None:
    """Who removes bytes nobody needs; None where they lie in Storage and there is no service key."""
    if settings.files_backend == "local":
        return LocalFiles(settings.files_folder)
    return storage_objects(settings)


def download_link(
    settings: Settings, project: str, sha256: str, name: str, *, bucket: str, seconds: int = 1800
) -> str:
    """A whole address from which anybody can download a file in Storage for so many seconds.

    Raises ConfigError, FileMissing, FilesUnavailable, FilesRefused."""
    with closing(supabase_files(settings)) as files:
        path = files.link(project, sha256, name, bucket=bucket, seconds=seconds)
    return (settings.supabase_public_url or settings.supabase_url or "").rstrip("/") + path
