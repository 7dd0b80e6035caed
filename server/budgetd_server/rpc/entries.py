"""The RPCs of the ledger's entries: decode and check, call the engine, encode."""

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.engine.engine import Engine
from budgetd_server.rpc import answers, read_requests
from budgetd_server.rpc.answer_pages import AnswerPage
from budgetd_server.rpc.callers import RpcCaller
from budgetd_server.rpc.page_tokens import page_token


class EntryHandlers:
    """One coroutine for each RPC about entries."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ListEntries(self, request: service.ListEntriesRequest, caller: RpcCaller) -> service.ListEntriesResponse:
        found = await self._engine.list_entries(read_requests.parse_entry_query(request))
        page, next_seq = AnswerPage[pb.Entry](), found.next_seq
        for budget_id, entry in found.entries:
            if not page.add(answers.entry(budget_id, entry, found.names)):
                next_seq = entry.seq
                break
        return service.ListEntriesResponse(entries=page.messages, next_page_token=page_token(request, next_seq))
