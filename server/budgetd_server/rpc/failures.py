"""Maps the error of an RPC to a status, logs internal errors and counts it; for gRPC and for embedded servers."""

import logging
import uuid

from google.rpc import status_pb2

from budgetd_server.domain.errors import BudgetError
from budgetd_server.metrics import Metrics
from budgetd_server.rpc.errors import internal_status, status_of

log = logging.getLogger(__name__)


def failure_status(error: Exception, *, rpc: str, metrics: Metrics) -> status_pb2.Status:
    """Return the status of an exception that a handler has raised, and count it.

    An internal error is logged with its traceback under an id; the caller gets the id and nothing else.
    """
    if isinstance(error, BudgetError):
        metrics.refusals.labels(error.reason).inc()
        return status_of(error)
    metrics.refusals.labels("INTERNAL").inc()
    incident_id = uuid.uuid4().hex[:12]
    fields = {"rpc": rpc, "incident_id": incident_id}
    # The message repeats the id: not every program's log shows extra fields.
    log.error("internal error %s", incident_id, exc_info=error, extra=fields)
    return internal_status(incident_id)
