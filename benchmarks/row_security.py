"""Row security over a pool: mixed transactions of people, admins and workers, and foreign rows."""

from time import perf_counter

from benchmarks.figures import figure
from benchmarks.installation import installed
from pilot import db
from tests.security import test_rls

TRANSACTIONS = 24_000


def main() -> None:
    """Print the figures."""
    with installed() as pilot:
        db.configure(pilot.database_url, pool_size=4)
        people = test_rls.owners()
        begun = perf_counter()
        leaks = test_rls.foreign_rows(people, TRANSACTIONS)
        seconds = perf_counter() - begun
    figure("transactions that saw a foreign row", len(leaks), "", TRANSACTIONS, None, 0)
    figure("mixed pooled transactions", TRANSACTIONS / seconds, "1/s", TRANSACTIONS)


if __name__ == "__main__":
    main()
