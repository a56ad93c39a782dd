"""What a monitoring system scrapes, with the token that the environment names."""

import hmac

from flask import Blueprint, Response, abort, current_app, request

from pilot import db
from pilot.reports import metrics
from pilot.views import PUBLIC, route

bp = Blueprint("metrics", __name__)


@route(bp, "/metrics", allow=PUBLIC)
def show() -> Response:
    """Answer Prometheus; 404 where no token is configured, 401 for another one."""
    token = current_app.config["METRICS_TOKEN"]
    if token is None:
        abort(404)
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        return Response(
            "Send PILOT_METRICS_TOKEN: Authorization: Bearer <token>\n",
            401,
            {"WWW-Authenticate": 'Bearer realm="metrics"'},
            mimetype="text/plain",
        )
    with db.reading(None, sees_all=True) as session:  # sums only: nothing names an owner's rows
        lines = list(metrics.exposition(session))
    return Response("\n".join(lines) + "\n", content_type=metrics.CONTENT_TYPE)
