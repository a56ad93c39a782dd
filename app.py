"""For WSGI servers: `gunicorn app:app`."""

from pilot import garbage

with garbage.unsought():
    from pilot import db, jobs, logs, progress, vault
    from pilot.config import Config, read_secret_keys
    from pilot.engine.secrets import known_secrets
    from pilot.web import create_app, kit

    logs.configure()
    config = Config.from_env()
    db.configure(config.database_url)
    jobs.configure(config.redis_url)
    progress.configure(config.redis_url)
    vault.configure(config.secret_keys, lambda: read_secret_keys(config.data))
    known_secrets.keep_up(config)
    app = create_app(config)
kit.compile_templates(app)
garbage.seldom()
