"""The RPCs of reservations: decode and check, call the engine, encode."""

from budgetd.v1 import reservation_pb2 as pb
from budgetd_server.domain.pricing import Prices
from budgetd_server.engine.engine import Engine
from budgetd_server.rpc import answers, reservation_requests
from budgetd_server.rpc.answer_pages import AnswerPage
from budgetd_server.rpc.callers import RpcCaller
from budgetd_server.rpc.cost_requests import CostRequests
from budgetd_server.rpc.page_tokens import page_token
from budgetd_server.rpc.reservation_requests import ReservationRequests, check_commit


class ReservationHandlers:
    """One coroutine for each RPC about reservations."""

    def __init__(self, engine: Engine, prices: Prices, costs: CostRequests) -> None:
        self._engine = engine
        self._reservations = ReservationRequests(costs, prices)

    async def ReserveCost(self, request: pb.ReserveCostRequest, caller: RpcCaller) -> pb.ReserveCostResponse:
        command = await self._reservations.reserve(request, self._engine.clock())
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        held = outcome.result
        return pb.ReserveCostResponse(
            reservation_id=answers.reservation_id(outcome.entry_seq),
            granted_nano_usd=held.granted_nano_usd,
            granted_tokens=held.granted_tokens,
            expire_time=answers.timestamp(held.expires_at_us),
            limits=answers.limit_statuses(outcome.limits),
            replayed=outcome.replayed,
        )

    async def CommitReservation(
        self, request: pb.CommitReservationRequest, caller: RpcCaller
    ) -> pb.CommitReservationResponse:
        seq, model, provider = check_commit(request), request.model, request.provider
        if not model and (request.HasField("text") or not request.HasField("cost_nano_usd")):
            reservation, _ = await self._engine.reservation(request.project_id, seq)
            model, provider = reservation.model, provider or reservation.provider
        command = await self._reservations.commit(request, seq, model, provider, self._engine.clock())
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        settled = outcome.result
        return pb.CommitReservationResponse(
            entry_id=answers.entry_id(outcome.entry_seq),
            cost_nano_usd=settled.cost_nano_usd,
            released_nano_usd=settled.released_nano_usd,
            overage_nano_usd=settled.overage_nano_usd,
            is_late=settled.is_late,
            limits=answers.limit_statuses(outcome.limits),
            replayed=outcome.replayed,
            unread_fields=command.unread_fields,
        )

    async def ReleaseReservation(
        self, request: pb.ReleaseReservationRequest, caller: RpcCaller
    ) -> pb.ReleaseReservationResponse:
        command = reservation_requests.parse_release(request)
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        return pb.ReleaseReservationResponse(
            released_nano_usd=outcome.result.released_nano_usd, replayed=outcome.replayed
        )

    async def ExtendReservation(
        self, request: pb.ExtendReservationRequest, caller: RpcCaller
    ) -> pb.ExtendReservationResponse:
        command = reservation_requests.parse_extend(request)
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        return pb.ExtendReservationResponse(
            expire_time=answers.timestamp(outcome.result.expires_at_us), replayed=outcome.replayed
        )

    async def GetReservation(self, request: pb.GetReservationRequest, caller: RpcCaller) -> pb.GetReservationResponse:
        seq = reservation_requests.parse_get(request)
        reservation, names = await self._engine.reservation(request.project_id, seq)
        return pb.GetReservationResponse(reservation=answers.reservation(reservation, names, self._engine.clock()))

    async def ListReservations(
        self, request: pb.ListReservationsRequest, caller: RpcCaller
    ) -> pb.ListReservationsResponse:
        now_us = self._engine.clock()
        query = reservation_requests.parse_query(request, now_us)
        found = await self._engine.list_reservations(query)
        page, next_seq = AnswerPage[pb.Reservation](), found.next_seq
        for reservation in found.reservations:
            if not page.add(answers.reservation(reservation, found.names, now_us)):
                next_seq = reservation.seq
                break
        return pb.ListReservationsResponse(reservations=page.messages, next_page_token=page_token(request, next_seq))
