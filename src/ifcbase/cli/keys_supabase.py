"""`ifcbase keys generate|check|renew-worker|revoke-worker`: the secrets of a self-hosted Supabase."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ifcbase.cli.output import JsonOption, console, print_json, table
from ifcbase.errors import NotFound, RequestInvalid
from ifcbase.stack import secrets_check, secrets_file, secrets_generate
from ifcbase.stack.secrets_tokens import WORKER_DAYS, read_token, worker_token

WORKER = "SUPABASE_WORKER_JWT"

FileOption = Annotated[Path, typer.Option("--file", "-f", help="The file of secrets.")]
DaysOption = Annotated[
    int, typer.Option("--days", help=f"Days the worker's token is good for, at most {WORKER_DAYS}.")
]
NameOption = Annotated[str, typer.Option("--name", help="The worker's name, as records show it.")]


def add_to(app: typer.Typer) -> None:
    """Put these commands into the group `keys`."""
    app.command("generate")(generate)
    app.command("check")(check)
    app.command("renew-worker")(renew_worker)
    app.command("revoke-worker")(revoke_worker)


def generate(
    file: FileOption = Path(".env"),
    public_url: Annotated[
        str, typer.Option(help="Supabase's gateway as browsers reach it.")
    ] = "http://localhost:8000",
    site_url: Annotated[
        str, typer.Option(help="Your own application, where links in mails lead.")
    ] = "http://localhost:3000",
    days: DaysOption = WORKER_DAYS,
    name: NameOption = "worker",
    example: Annotated[
        Path | None,
        typer.Option(help="Supabase's .env.example: what only it sets is taken from there."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that exists; it is kept beside.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the secrets of a self-hosted Supabase and the pipeline into a new file, mode 600."""
    addresses = secrets_generate.Addresses(public_url, site_url)
    made = secrets_generate.sections(addresses, worker_days=days, worker=name)
    kept = secrets_file.write_new(file, secrets_file.render(made, example), force=force)
    token = read_token(secrets_file.read(file)[WORKER], None)
    document = {
        "file": str(file),
        "kept": str(kept) if kept else None,
        "variables": sum(len(section.lines) for section in made),
        "worker_token": token.claims["jti"],
        "worker_token_expires": _day(token.expires),
    }
    if as_json:
        print_json(document)
        return
    if kept:
        console().say(f"the old file is {kept} now; a database that runs keeps its old password")
    console().say(f"{file}: {document['variables']} variables, nobody but you may read it")
    console().say(
        f"worker token {document['worker_token']}, good until {document['worker_token_expires']}"
    )


def check(
    file: FileOption = Path(".env"),
    soon: Annotated[int, typer.Option(help="Days before its end a key is complained about.")] = 14,
    as_json: JsonOption = False,
) -> int:
    """Judge a file of secrets. Exit code 1: something is refused, 3: something ends soon."""
    found = secrets_check.check(file, secrets_file.read(file), soon_days=soon)
    refused = sum(each.severity == "refused" for each in found)
    if as_json:
        print_json(
            {
                "file": str(file),
                "refused": refused,
                "findings": [
                    {"variable": e.variable, "problem": e.problem, "cure": e.cure,
                     "severity": e.severity}
                    for e in found
                ],
            }
        )  # fmt: skip
    elif found:
        rows = [(e.variable, e.problem, e.cure) for e in found]
        console().print(table(f"Keys in {file}", ["variable", "what is wrong", "cure"], rows))
    else:
        console().say(f"{file}: nothing to complain about")
    return 1 if refused else 3 if found else 0


def renew_worker(
    file: FileOption = Path(".env"),
    days: DaysOption = WORKER_DAYS,
    name: NameOption = "worker",
    as_json: JsonOption = False,
) -> None:
    """Put a new worker's token into a file; the old one goes on until it ends or is revoked."""
    values = secrets_file.read(file)
    secret = values.get("JWT_SECRET")
    if not secret:
        raise RequestInvalid(
            f"{file} has no JWT_SECRET to sign a token with",
            hint="Run this where Supabase's secrets are, and carry the token to the worker.",
        )
    old = read_token(values.get(WORKER, ""), None)
    made = worker_token(secret, name, days, datetime.now(UTC))
    secrets_file.set_value(file, WORKER, made)
    token = read_token(made, None)
    document: dict[str, Any] = {
        "file": str(file),
        "worker_token": token.claims["jti"],
        "worker_token_expires": _day(token.expires),
        "old_worker_token": old.claims.get("jti"),
    }
    if as_json:
        print_json(document)
        return
    console().say(
        f"worker token {document['worker_token']}, good until {document['worker_token_expires']}"
    )
    if document["old_worker_token"]:
        console().say(
            f"the old one still works; end it by: ifcbase keys revoke-worker "
            f"{document['old_worker_token']}"
        )


def revoke_worker(
    token: Annotated[str | None, typer.Argument(help="Id of the token (its claim jti).")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Take the id from the token in this file.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for who looks later.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse a worker's token from now on: it takes, renews, writes and reads nothing any more."""
    from ifcbase.cli.context import ledger_connection
    from ifcbase.ledger.tokens import revoke

    if (token is None) == (file is None):
        raise RequestInvalid("name the id of a token, or a --file that holds one")
    expires = None
    if file is not None:
        held = read_token(secrets_file.read(file).get(WORKER, ""), None)
        token, expires = held.claims.get("jti"), held.expires
    if not token:
        raise NotFound(f"{file} holds no worker's token with an id")
    with ledger_connection() as (_, connection):
        first = revoke(connection, token, reason, expires)
    if as_json:
        print_json({"worker_token": token, "revoked_now": first})
        return
    console().say(f"{token} is revoked" if first else f"{token} was revoked before")


def _day(moment: datetime | None) -> str | None:
    return moment.date().isoformat() if moment else None
