"""What became of a call that has no response: told to its caller, to the log and to the metrics, whoever called."""

import logging
import uuid

from google.rpc import status_pb2

from budgetd_server.domain.errors import BudgetError
from budgetd_server.metrics import Metrics
from budgetd_server.rpc.errors import internal_status, status_of

log = logging.getLogger(__name__)


def failure_status(error: Exception, *, rpc: str, metrics: Metrics) -> status_pb2.Status:
    """The status of whatever a handler has raised.

    A mistake of ours is logged with all that is known of it, under an id that is all its caller learns.
    """
    if isinstance(error, BudgetError):
        metrics.refusals.labels(error.reason).inc()
        return status_of(error)
    metrics.refusals.labels("INTERNAL").inc()
    incident_id = uuid.uuid4().hex[:12]
    told = {"rpc": rpc, "incident_id": incident_id}
    # The id stands in the sentence as well: not every program's log shows fields.
    log.error("unexpected error %s", incident_id, exc_info=error, extra=told)
    return internal_status(incident_id)
