"""A client without any of our code: it learns the contract from the server's reflection service, and charges.

Usage: python reflecting_client.py HOST:PORT. Prints one JSON object: the services, the fields that it found in
UpdateCostRequest, the answer to a charge, and which modules of ours it had to import (none).
"""

import json
import sys
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

CHARGE = {"projectId": "project", "budgetId": "alice", "model": "gpt-4o", "usage": {"inputTokens": 1000}}


def main(address: str) -> None:
    """Ask, describe, charge."""
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        method = pool.FindServiceByName("budgetd.v1.BudgetService").FindMethodByName("UpdateCost")
        request = ParseDict(CHARGE, GetMessageClass(method.input_type)())
        call: Any = channel.unary_unary(
            "/budgetd.v1.BudgetService/UpdateCost",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        answer = call(request, timeout=90)
        report = {
            "services": sorted(database.get_services()),
            "fields": [field.name for field in method.input_type.fields],
            "answer": MessageToDict(answer, preserving_proto_field_name=True),
            "ours": [name for name in sys.modules if name.partition(".")[0] in ("budgetd", "budgetd_server")],
        }
    print(json.dumps(report))  # noqa: T201 - its result.


if __name__ == "__main__":
    main(sys.argv[1])
