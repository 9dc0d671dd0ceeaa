"""What the commands about backups share: the folder, what is backed up, notes in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from ifcbase.cli import context
from ifcbase.cli.output import errors_console
from ifcbase.errors import ConfigError, RequestInvalid, SchemaOutdated
from ifcbase.files.backend import storage_objects
from ifcbase.ledger import operations
from ifcbase.ledger.connect import connect
from ifcbase.settings import Settings, variable_of
from ifcbase.stack.backup.folder import Folder
from ifcbase.stack.backup.retaining import Keep, obsolete
from ifcbase.stack.backup.source import Deployment
from ifcbase.stack.embedded import EmbeddedPostgres


def folder_of(settings: Settings) -> Folder:
    """The folder of the backups, with the passphrase if one is set."""
    secret = settings.backup_passphrase
    if secret is not None and not secret.get_secret_value():
        raise RequestInvalid(
            "the passphrase of the backups is empty", hint="Unset it, or set a long one."
        )
    return Folder(settings.backups, secret.get_secret_value() if secret else None)


@contextmanager
def deployment(settings: Settings) -> Iterator[Deployment]:
    """What these settings say is to be backed up, or restored into."""
    dsn = context.database(settings)
    shown, private = {}, {}
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr):
            # The passphrase that opens the backup is of no use inside it.
            if field != "backup_passphrase":
                private[variable_of(field)] = value.get_secret_value()
        elif value is not None:
            shown[variable_of(field)] = str(value)
    admin = None
    if context.embedded_in_use(settings):
        server = EmbeddedPostgres(settings.home)
        admin = server.admin_dsn()
        private["server.json"] = server.state_file.read_text(encoding="utf-8")
    objects = storage_objects(settings)
    if objects is None and settings.files_backend != "local":
        raise ConfigError(
            "the files lie in Supabase Storage, and there is no key to read all of them",
            hint="Set SUPABASE_URL and SUPABASE_SERVICE_KEY.",
        )
    try:
        yield Deployment(dsn, settings.files_folder, shown, private, admin, objects)
    finally:
        if objects is not None:
            objects.close()


def note(dsn: str, kind: str, name: str, **details: int) -> None:
    """Note it in the ledger, where monitoring sees it; a ledger that is too old cannot take it."""
    try:
        with connect(dsn) as connection:
            operations.note(connection, kind, {"name": name, **details})
    except SchemaOutdated:
        errors_console().say("not noted in the ledger: run `ifcbase db migrate`", style="dim")


def prune(folder: Folder, settings: Settings) -> list[str]:
    """Remove the sets that need not stay; gives their names."""
    with folder.writing():
        names = prunable(folder, settings)
        folder.remove(names)
    return names


def prunable(folder: Folder, settings: Settings) -> list[str]:
    """The sets that need not stay by the settings."""
    keep = Keep(
        settings.backup_keep_daily, settings.backup_keep_weekly, settings.backup_keep_monthly
    )
    names = folder.names()
    return obsolete(names, keep, [name for name in names if folder.note(name, "verified")])
