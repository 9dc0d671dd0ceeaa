"""Rows that were there before the tables got leaner are the same afterwards."""

from __future__ import annotations

import psycopg

from ifcbase.stack.migrations import migrate
from tests.integration.servers import Server

BEFORE = "20261122130000"
COLUMNS = (
    "result_id, pair_id, distance, p1x, p1y, p1z, p2x, p2y, p2z, smart_group, a_position, b_position,"
    " kind, measured, flipped"
)
OLD_ROWS = """
insert into core.models (id, project_id, name) values (1, 1, 'arc');
insert into core.elements (id, project_id, model_id, global_id)
  select i, 1, 1, 'e' || i from generate_series(1, 40) i;
insert into clash.sets (id, project_id, name) values (1, 1, 'A x B');
insert into clash.results (id, project_id, set_id, accepted, state, clash_set_name, output_filename)
  values (1, 1, 1, 1, 'writing', 'A x B', 'o'), (2, 1, 1, 2, 'writing', 'A x B', 'o');
insert into core.findings (id, project_id, check_name) select i, 1, 'clash' from generate_series(1, 39) i;
insert into clash.pairs (id, project_id, set_id, a_element, b_element)
  select i, 1, 1, i, i + 1 from generate_series(1, 39) i;
insert into clash.sightings
  select r, i, i / 7.0, i * 1e6 + 0.1, -i, 1e-9, i / 3.0, 0, -1e-12,
         case when i % 3 = 0 then null else i end, i % 2 * 2047, (i + 1) % 2 * 2047, 1 + i % 7, i % 4,
         i % 2 = 0
    from generate_series(1, 2) r, generate_series(1, 39) i;
insert into core.links (project_id, from_element, to_element, verdict, method, confidence, applied_at)
  values (1, 1, 2, 'same', 'person', 1, null), (1, 3, 4, 'same', 'person', 1, now());
"""


def test_sightings_and_links_survive_the_leaner_tables(any_server: Server) -> None:
    with any_server.database() as database:
        migrate(database.dsn, to=BEFORE)
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            connection.execute(OLD_ROWS)
            ask = f"select {COLUMNS} from clash.sightings order by result_id, pair_id"
            before = connection.execute(ask).fetchall()
        migrate(database.dsn)
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            assert len(before) == 78
            assert connection.execute(ask).fetchall() == before
            # What no conclusions were drawn from still waits for them.
            assert connection.execute("select from_element from core.fresh_links").fetchall() == [
                (1,)
            ]
            connection.execute("select core.refresh_identities(array[1, 3])")
            assert connection.execute(
                "select element_id, root_id from core.identities order by 1"
            ).fetchall() == [(1, 1), (2, 1), (3, 3), (4, 3)]
            assert connection.execute("select * from core.fresh_links").fetchall() == []
