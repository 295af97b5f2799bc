"""Messages of the status protocol (sections 2 to 5): dictionaries, and lines of JSON.

Nothing here remembers anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]
ExtensionObject = dict[str, Any]

MAX_LINE_BYTES = 1024 * 1024
"""Longest line, without its LF, that the protocol allows by default."""


class BadLine(ValueError):
    """A line that is not a message."""


@dataclass(frozen=True)
class Outcome:
    """What the ``response`` of an answer says."""

    code: str
    sentence: str

    @property
    def is_success(self) -> bool:
        """Whether all is well. Case does not matter; an unknown code is a failure."""
        return self.code.lower() == "success"

    @property
    def is_for_now(self) -> bool:
        """Whether the same message is to be sent again later."""
        return self.code in ("overloaded", "unavailable")


def encode(message: Message) -> bytes:
    """One message as one line."""
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message | None:
    """One line as a message; ``None`` for an empty line, which means nothing."""
    text = line.rstrip(b"\r\n")
    if not text:
        return None
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"no JSON: {error}") from error
    if not isinstance(message, dict) or not isinstance(message.get("messageType"), str):
        raise BadLine("no object with a messageType")
    return message


def status_report(
    component_id: str, incarnation: int, sequence: int, time: str, extension: list[ExtensionObject]
) -> Message:
    """A status report. Its ``messageId`` is made of its number, so it is unique among those that are open."""
    return {
        "messageType": "statusReport",
        "messageId": f"{incarnation}-{sequence}",
        "componentId": component_id,
        "time": time,
        "incarnation": incarnation,
        "sequence": sequence,
        "extension": extension,
    }


def request_answer(request: Message, component_id: str, response: str, extension: list[ExtensionObject]) -> Message:
    """The answer to a status report request."""
    answer: Message = {
        "messageType": "statusReportRequestResponse",
        "messageId": request.get("messageId"),
        "componentId": component_id,
        "response": response,
    }
    if extension:
        answer["extension"] = extension
    return answer


def subscription_answer(request: Message, component_id: str, response: str, *extension: ExtensionObject) -> Message:
    """The answer to a ``subscribe`` or ``unsubscribe``."""
    answer: Message = {
        "messageType": f"{request['messageType']}Response",
        "messageId": request.get("messageId"),
        "componentId": component_id,
        "response": response,
    }
    if extension:
        answer["extension"] = list(extension)
    return answer


def outcome(answer: Message) -> Outcome:
    """Code and sentence of an answer."""
    response = answer.get("response")
    if not isinstance(response, str):
        return Outcome("malformed", "the answer has no response")
    code, _, sentence = response.partition(": ")
    return Outcome(code, sentence)


def extension_object(message: Message, object_type: str) -> ExtensionObject | None:
    """The first object of this type in a message's extension."""
    extension = message.get("extension")
    if not isinstance(extension, list):
        return None
    for item in extension:
        if isinstance(item, dict) and item.get("type") == object_type:
            return item
    return None


def matching(objects: list[ExtensionObject], request: Message) -> list[ExtensionObject]:
    """What of ``objects`` a request asks for (section 5): all, or what one of its query objects names.

    A query names types, value names and resources; what it does not mention it does not restrict. The component
    itself, which has no ``resource``, is named by an empty string.
    """
    extension = request.get("extension")
    queries = [
        item for item in (extension if isinstance(extension, list) else [])
        if isinstance(item, dict) and item.get("type") == "query"
    ]
    return select(objects, queries) if queries else objects


def select(objects: list[ExtensionObject], queries: list[dict[str, Any]]) -> list[ExtensionObject]:
    """What of ``objects`` at least one query, or event of a subscription (section 6), names."""
    answer = []
    for item in objects:
        names = set()
        for query in queries:
            names |= _names_asked(item, query)
        values = {name: value for name, value in item.get("values", {}).items() if name in names}
        if values:
            answer.append({**item, "values": values})
    return answer


def _names_asked(item: ExtensionObject, query: ExtensionObject) -> set[str]:
    """The value names of one object that one query asks for."""
    if "types" in query and item["type"] not in query["types"]:
        return set()
    if "resources" in query and item.get("resource", "") not in query["resources"]:
        return set()
    names = set(item.get("values", {}))
    return names & set(query["names"]) if "names" in query else names
