"""What the supervisor says to its server: are you there, are you mine, and who may log in."""

from __future__ import annotations

from enum import Enum

import psycopg
from psycopg import sql

from ifcbase.stack.state import DATABASE, ROLE, ServerState


class Answer(Enum):
    """What came back when a server was asked."""

    NONE = "nobody answers, or somebody who does not know the password"
    OURS = "the server of this folder answers"
    OTHER = "the server of a copy of this folder answers"


def ask(state: ServerState, label: str) -> Answer:
    """Ask the server a query. scram makes both sides prove that they know the password; its label
    (``Cluster.label``) tells a copied home, which knows it too, from this one."""
    try:
        with psycopg.connect(
            state.dsn(), connect_timeout=3, require_auth="scram-sha-256", autocommit=True
        ) as connection:
            row = connection.execute("SELECT current_setting('cluster_name')").fetchone()
    except psycopg.OperationalError as error:
        # Full, hence alive. libpq gives no SQLSTATE for what fails while connecting.
        full = "too many clients" in str(error) or "connection slots" in str(error)
        return Answer.OURS if full else Answer.NONE
    return Answer.OURS if row == (label,) else Answer.OTHER


def make_role(admin_dsn: str, password: str) -> None:
    """Make the application's role ``postgres``: as on Supabase owner of the database, with
    CREATEROLE, CREATEDB, REPLICATION and BYPASSRLS, but no superuser. May be repeated.
    Raises psycopg.Error."""
    with psycopg.connect(admin_dsn, connect_timeout=10) as connection:
        # The verifier is made here: the password itself never reaches the server or its log.
        verifier = connection.pgconn.encrypt_password(
            password.encode(), ROLE.encode(), b"scram-sha-256"
        ).decode()
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone()
        connection.execute(
            sql.SQL(
                "{} ROLE {} WITH LOGIN NOSUPERUSER CREATEROLE CREATEDB REPLICATION BYPASSRLS "
                "PASSWORD {}"
            ).format(sql.SQL("ALTER" if known else "CREATE"), sql.Identifier(ROLE), verifier)
        )
        connection.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                sql.Identifier(DATABASE), sql.Identifier(ROLE)
            )
        )
