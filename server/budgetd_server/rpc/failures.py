"""What becomes of a call that fails: its status, a line of the log and a count, whoever called."""

import logging
import uuid

from google.rpc import status_pb2

from budgetd_server.domain.errors import BudgetError
from budgetd_server.metrics import Metrics
from budgetd_server.rpc.errors import internal_status, status_of

log = logging.getLogger(__name__)


def failure_status(error: Exception, *, rpc: str, metrics: Metrics) -> status_pb2.Status:
    """The status of whatever a handler has raised.

    An internal error is logged with its traceback under an id; the caller gets the id and nothing else.
    """
    if isinstance(error, BudgetError):
        metrics.refusals.labels(error.reason).inc()
        return status_of(error)
    metrics.refusals.labels("INTERNAL").inc()
    incident_id = uuid.uuid4().hex[:12]
    fields = {"rpc": rpc, "incident_id": incident_id}
    # The id is in the sentence as well: not every program's log shows fields.
    log.error("internal error %s", incident_id, exc_info=error, extra=fields)
    return internal_status(incident_id)
