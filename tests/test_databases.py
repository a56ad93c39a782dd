"""One database for test after test is, for each, as its template."""

import psycopg
import pytest

from tests.databases import Reused
from tests.servers import TEMPLATE

CONTENT = """SELECT (SELECT string_agg(p::text, ',' ORDER BY p::text) FROM price p),
                    (SELECT count(*) FROM setting), (SELECT count(*) FROM audit)"""


@pytest.fixture
def reused(servers):
    made = Reused(servers, TEMPLATE)
    yield made
    made.close()


def connect(servers, url):
    return psycopg.connect(
        servers.cluster.url(psycopg.conninfo.conninfo_to_dict(url)["dbname"]), autocommit=True
    )


def test_what_one_wrote_is_taken_back(servers, reused):
    first = reused.fresh()
    with connect(servers, first) as connection:
        before = connection.execute(CONTENT).fetchone()
        assert before[0]
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM price")
        connection.execute("INSERT INTO setting (key, value) VALUES ('x', '1')")
    assert reused.fresh() == first
    with connect(servers, first) as connection:
        assert connection.execute(CONTENT).fetchone() == before


def test_who_is_left_over_writes_no_more(servers, reused):
    with connect(servers, reused.fresh()) as left:
        reused.fresh()
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")


def test_after_a_change_of_the_schema_the_next_one_gets_a_new_copy(servers, reused):
    first = reused.fresh()
    with connect(servers, first) as connection:
        connection.execute("ALTER TABLE price ADD COLUMN more text")
    assert reused.fresh() != first
