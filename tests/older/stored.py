"""Rows that a customer's data migration writes: what an older builder stored, as it was."""

from psycopg.types.json import Json

AGENT = (
    "INSERT INTO agent (owner_id, name, prompt, version_number) VALUES (%s, %s, %s, 1) RETURNING id"
)
VERSION = (
    "INSERT INTO workflow_version (owner_id, agent_id, number, document, document_hash, "
    "inputs_schema, workflow_steps, author_id, reason, origin) "
    "VALUES (%s, %s, 1, %s, '', %s, '[]', %s, 'Brought over', 'imported')"
)


def store(superuser, owner, document, *, inputs=None, prompt="", name="Brought over"):
    """Write an agent with one version straight into the tables; returns its id."""
    (agent,) = superuser.execute(AGENT, [owner.id, name, prompt]).fetchone()
    fields = None if inputs is None else Json(inputs)
    superuser.execute(VERSION, [owner.id, agent, Json(document), fields, owner.id])
    return agent
