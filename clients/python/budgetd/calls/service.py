"""The table of RPCs, from which both clients get their methods."""

from budgetd.calls.rpc import UnaryRpc
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb


class BudgetServiceRpcs:
    """The methods of `budgetd.v1.BudgetService`; the contract says what each does and how it may be refused."""

    create_budget = UnaryRpc(
        service.CreateBudgetRequest,
        service.CreateBudgetResponse,
        changes=True,
        doc=(
            "Creates a budget, or replaces one if `replace_existing`. Raises AlreadyExists; of the parent also "
            "NotFound, ParentCycle, TooDeep, IsTemplate."
        ),
    )

    get_budget = UnaryRpc(service.GetBudgetRequest, service.GetBudgetResponse, doc="Reads one budget. Raises NotFound.")

    list_budgets = UnaryRpc(
        service.ListBudgetsRequest,
        service.ListBudgetsResponse,
        doc="Reads a page of a project's budgets, in order of creation.",
    )

    update_budget = UnaryRpc(
        service.UpdateBudgetRequest,
        service.UpdateBudgetResponse,
        changes=True,
        doc=(
            "Changes a budget's configuration, and never what is spent. Raises NotFound, EtagMismatch, ParentCycle, "
            "TooDeep, IsTemplate, BelowZero, CounterOverflow."
        ),
    )

    delete_budget = UnaryRpc(
        service.DeleteBudgetRequest,
        service.DeleteBudgetResponse,
        changes=True,
        doc=(
            "Deletes a budget; its history stays. Raises NotFound, EtagMismatch; unless `force`, HasChildren and "
            "HasOpenReservations."
        ),
    )

    update_cost = UnaryRpc(
        cost_pb.UpdateCostRequest,
        cost_pb.UpdateCostResponse,
        changes=True,
        doc=(
            "Records a cost that happened. Raises NotFound, IsTemplate, UnknownModel, UnpricedUsage, CounterOverflow; "
            "with ADMISSION_REJECT_OVER_LIMIT also BudgetExceededError."
        ),
    )

    batch_update_cost = UnaryRpc(
        cost_pb.BatchUpdateCostRequest,
        cost_pb.BatchUpdateCostResponse,
        changes=True,
        doc=(
            "Records many costs, each decided on its own: a refused item is an `error` in its result, and raises "
            "nothing."
        ),
    )

    adjust_cost = UnaryRpc(
        cost_pb.AdjustCostRequest,
        cost_pb.AdjustCostResponse,
        changes=True,
        doc=(
            "Corrects what was spent, with a reason. Raises NotFound (of the entry, too), IsTemplate, BelowZero, "
            "RefundExceedsEntry, CounterOverflow."
        ),
    )

    get_current_cost = UnaryRpc(
        cost_pb.GetCurrentCostRequest,
        cost_pb.GetCurrentCostResponse,
        doc="Reads what a budget has spent, and the state of its limits. Raises NotFound.",
    )

    get_model_cost = UnaryRpc(
        cost_pb.GetModelCostRequest,
        cost_pb.GetModelCostResponse,
        doc="Reads what a budget has spent by model in the main window. Raises NotFound.",
    )

    project_cost = UnaryRpc(
        cost_pb.ProjectCostRequest,
        cost_pb.ProjectCostResponse,
        doc=("Returns what a call would cost; writes nothing. Raises NotFound, UnknownModel, UnpricedUsage."),
    )

    reserve_cost = UnaryRpc(
        reservation_pb.ReserveCostRequest,
        reservation_pb.ReserveCostResponse,
        changes=True,
        doc=(
            "Holds money, tokens and one call before the work. Raises BudgetExceededError, NotFound, IsTemplate, "
            "UnknownModel, UnpricedUsage, CounterOverflow."
        ),
    )

    commit_reservation = UnaryRpc(
        reservation_pb.CommitReservationRequest,
        reservation_pb.CommitReservationResponse,
        changes=True,
        doc=(
            "Settles a hold with what the work cost. Raises NotFound, AlreadySettled, UnknownModel, UnpricedUsage, "
            "CounterOverflow."
        ),
    )

    release_reservation = UnaryRpc(
        reservation_pb.ReleaseReservationRequest,
        reservation_pb.ReleaseReservationResponse,
        changes=True,
        doc="Releases a hold without a charge. Raises NotFound, AlreadySettled.",
    )

    extend_reservation = UnaryRpc(
        reservation_pb.ExtendReservationRequest,
        reservation_pb.ExtendReservationResponse,
        changes=True,
        doc="Changes when a hold expires, to later or sooner. Raises NotFound, AlreadySettled.",
    )

    get_reservation = UnaryRpc(
        reservation_pb.GetReservationRequest,
        reservation_pb.GetReservationResponse,
        doc="Reads one hold. Raises NotFound.",
    )

    list_reservations = UnaryRpc(
        reservation_pb.ListReservationsRequest,
        reservation_pb.ListReservationsResponse,
        doc="Reads a page of a project's holds, newest first. Raises NotFound.",
    )

    reset_cost = UnaryRpc(
        service.ResetCostRequest,
        service.ResetCostResponse,
        changes=True,
        doc="Resets a budget's counts to zero. Raises NotFound.",
    )

    reset_on_duration = UnaryRpc(
        service.ResetOnDurationRequest,
        service.ResetOnDurationResponse,
        changes=True,
        doc="Resets the main limit's count to zero if its window is over. Raises NotFound, NoWindow.",
    )

    reset_all_on_duration = UnaryRpc(
        service.ResetAllOnDurationRequest,
        service.ResetAllOnDurationResponse,
        changes=True,
        doc="Does `reset_on_duration` for every budget of a project.",
    )

    list_entries = UnaryRpc(
        service.ListEntriesRequest,
        service.ListEntriesResponse,
        doc="Reads a page of the ledger, newest entry first. Raises NotFound.",
    )

    list_model_prices = UnaryRpc(
        service.ListModelPricesRequest,
        service.ListModelPricesResponse,
        doc="Reads a page of the prices of all models, by name.",
    )

    get_model_price = UnaryRpc(
        service.GetModelPriceRequest,
        service.GetModelPriceResponse,
        doc="Reads what the server charges for a model. Raises UnknownModel.",
    )
