"""Programs that use the API: a token in the header, no cookies."""

import pytest

from pilot.engine.people import api_tokens
from pilot.engine.people.api_tokens import NewToken, Scope

ALL = [str(one) for one in Scope]


class Program:
    """A program with a token."""

    def __init__(self, app, token: str | None) -> None:
        self.client = app.test_client()
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def get(self, url, headers=None, **more):
        headers = self.headers | (headers or {})
        return self.client.get(f"/api/v1{url}", headers=headers, **more)

    def post(self, url, body=None, headers=None, **more):
        headers = self.headers | (headers or {})
        return self.client.post(f"/api/v1{url}", json=body or {}, headers=headers, **more)

    def send(self, method, url, body=None, etag=None):
        """Send a change of what was read with this ETag."""
        headers = self.headers | ({"If-Match": etag} if etag else {})
        return self.client.open(f"/api/v1{url}", method=method, json=body or {}, headers=headers)

    def patch(self, url, body, headers=None):
        headers = self.headers | (headers or {})
        return self.client.patch(f"/api/v1{url}", json=body, headers=headers)


@pytest.fixture
def program(app):
    """Give `program(person, *scopes, **fields)`: with a token of the person; None: without one."""

    def program(person, *scopes, **fields) -> Program:
        if person is None:
            return Program(app, None)
        new = NewToken("test", scopes or ALL, **fields)
        made = api_tokens.create(new, owner_id=person.id, by=person.actor)
        return Program(app, made.token)

    return program
