"""One database for test after test: what the last one wrote is taken back before the next."""

import psycopg
from psycopg import sql
from sqlalchemy import Pool, event

from tests.servers import Servers

# What a test may have changed that no row tells: then the next one gets a new copy.
SCHEMA = """
SELECT (SELECT max(xmin::text::bigint) FROM pg_class), (SELECT count(*) FROM pg_class),
       (SELECT max(xmin::text::bigint) FROM pg_proc), (SELECT count(*) FROM pg_proc),
       (SELECT max(xmin::text::bigint) FROM pg_trigger), (SELECT count(*) FROM pg_trigger),
       (SELECT max(xmin::text::bigint) FROM pg_policy), (SELECT count(*) FROM pg_policy),
       (SELECT count(*) FROM pg_db_role_setting)
"""
TABLES = """
SELECT c.relname, array_agg(quote_ident(a.attname)::text ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY c.relname ORDER BY c.relname
"""
SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"
OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
  AND pid <> pg_backend_pid() AND pid <> ALL(%s)
"""
_staying: set[int] = set()  # connections, by the process that serves them


def stays(connection: psycopg.Connection) -> psycopg.Connection:
    """Let a connection live on from test to test: nothing is under way in it between two."""
    _staying.add(connection.info.backend_pid)
    return connection


@event.listens_for(Pool, "connect")
def _of_a_pool(connection, _record) -> None:
    stays(connection)


class Reused:
    """Copies of one template, each in use until a test changes its schema."""

    def __init__(self, servers: Servers, template: str) -> None:
        self._servers = servers
        self._template = template
        self._own: psycopg.Connection | None = None
        self._name = self.url = ""

    def fresh(self) -> str:
        """Return the URL of a database that is as its template."""
        if self._own is not None and not self._taken_back():
            self.close()
        if self._own is None:
            self._copy()
        return self.url

    def close(self) -> None:
        """Drop the database."""
        if self._own is not None:
            self._own.close()
            self._servers.drop(self._name)
            self._own = None

    def _copy(self) -> None:
        self._name = self._servers.new_name()
        self.url = self._servers.copy(self._name, self._template)
        # Neither rules of the product, which keep its trail as it is, nor its keys hold back this.
        self._own = psycopg.connect(
            self._servers.cluster.url(self._name),
            autocommit=True,
            options="-c session_replication_role=replica",
        )
        self._own.execute(self._take_back())
        self._schema = self._own.execute(SCHEMA).fetchone()

    def _taken_back(self) -> bool:
        try:
            self._own.execute(OTHERS, [list(_staying)])
        except psycopg.OperationalError:  # a test ended all connections
            return False
        if self._own.execute(SCHEMA).fetchone() != self._schema:
            return False
        longer = self._own.execute("SELECT pg_temp.take_back()").fetchone()[0]
        if longer:  # so that rows stand in the order of their writing, as in a new table
            names = sql.SQL(", ").join(map(sql.Identifier, longer))
            self._own.execute(sql.SQL("VACUUM (INDEX_CLEANUP ON) {}").format(names))
            # A table known to be empty is read whole by plans made now, however long it grows.
            self._own.execute(
                "SELECT pg_clear_relation_stats('public', t) FROM unnest(%s::text[]) t", [longer]
            )
            self._schema = self._own.execute(SCHEMA).fetchone()
        return True

    def _take_back(self) -> sql.Composed:
        """Return a function that makes each table as it was, and tells which had more rows."""
        body = [
            sql.SQL("CREATE FUNCTION pg_temp.take_back() RETURNS text[] LANGUAGE plpgsql AS $$"),
            sql.SQL("DECLARE longer text[] := '{}'; BEGIN"),
        ]
        for table, columns in self._own.execute(TABLES).fetchall():
            body.append(self._restoration(table, sql.SQL(", ".join(columns))))
        for sequence, value in self._own.execute(SEQUENCES).fetchall():
            restart = sql.SQL("PERFORM setval({}, {}, {});")
            body.append(restart.format(f'public."{sequence}"', value or 1, value is not None))
        body.append(sql.SQL("RETURN longer; END $$"))
        return sql.SQL("\n").join(body)

    def _restoration(self, table: str, columns: sql.SQL) -> sql.Composed:
        name, kept = sql.Identifier(table), sql.Identifier("pg_temp", f"kept_{table}")
        told = sql.SQL("IF FOUND THEN longer := longer || {}::text; END IF;").format(table)
        if not self._own.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(name)).rowcount:
            return sql.SQL("DELETE FROM {}; {}").format(name, told)
        self._own.execute(sql.SQL("CREATE TEMP TABLE {} AS SELECT * FROM {}").format(kept, name))
        return sql.SQL(
            "DELETE FROM {name} r WHERE r::text NOT IN (SELECT k::text FROM {kept} k); {told}"
            "INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {kept} k "
            "WHERE k::text NOT IN (SELECT r::text FROM {name} r);"
        ).format(name=name, kept=kept, told=told, columns=columns)
