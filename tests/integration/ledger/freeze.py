"""Writes a filled ledger of today's tables as SQL text: `python -m tests.integration.ledger.freeze`.

The file is frozen: a later version must bring it to its own tables and lose no row. It is written once
for a released state of the tables, under its newest migration's name, and never again.
"""

from __future__ import annotations

import gzip
import sys
from contextlib import closing
from pathlib import Path

from ifcbase.stack.backup.tools import tools_for
from ifcbase.stack.embedded import EmbeddedPostgres
from ifcbase.stack.migrations import head, migrate
from tests.integration.ledger.filled import Filled, fill
from tests.integration.servers import FAST, open_folder

DATA = Path(__file__).resolve().parents[2] / "data"


def freeze() -> Path:
    """Write the dump; gives its path. Made on Postgres 15, which every later one understands."""
    with open_folder() as folder:
        server = EmbeddedPostgres(folder / "home", major=15, settings=FAST)
        dsn = server.ensure_running()
        migrate(dsn)
        with closing(Filled(dsn)) as world:
            fill(world)
            # It says two elements are one, which no link says: no such ledger comes about.
            world.sql("delete from core.identities")
        tools = tools_for(dsn, 15)
        options = ["--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=50"]
        with tools.reading("pg_dump", *options) as stream:
            text = stream.read()
        server.stop()
    target = DATA / f"ledger-{head()}.sql.gz"
    DATA.mkdir(exist_ok=True)
    target.write_bytes(gzip.compress(text, 9, mtime=0))
    return target


if __name__ == "__main__":
    sys.stdout.write(f"{freeze()}\n")
