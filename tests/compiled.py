"""What SQLAlchemy compiled for one engine serves the next ones of the process, and its forks."""


def once(made):
    """Return `create_engine` whose engines share a dialect and the statements compiled for it."""
    kept = {}

    def create_engine(url, **options):
        engine = made(url, **options)
        engine.dialect = kept.setdefault("dialect", engine.dialect)
        engine._compiled_cache = kept.setdefault("statements", engine._compiled_cache)
        return engine

    return create_engine
