"""One connection, as a state machine without I/O: what to send next, and what a received message means.

In go the messages that arrive and a reading of a monotonic clock; out come messages to send and lines for a person.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from . import messages
from .messages import ExtensionObject, Message
from .numbering import Numbering
from .serving import Subscriptions

Status = Callable[[], list[ExtensionObject]]

DEFAULT_RETRY_SECONDS = 1.0


class Conversation:
    """The rules of sections 3, 5 and 6, from the component's side."""

    def __init__(
        self,
        numbering: Numbering,
        status: Status,
        window: int,
        tell: Callable[[str], None],
        subscriptions: Optional[Subscriptions] = None,
    ) -> None:
        self._numbering = numbering
        self._status = status
        self._window = window
        self._tell = tell
        self._subscriptions = subscriptions
        # Messages that are open on this connection, by messageId. Nothing is open on a new one.
        self._open: dict[str, Message] = {}
        self._not_before = 0.0

    def to_send(self, now: float) -> list[Message]:
        """Reports to send now: the oldest unconfirmed ones that are not open, as many as the window has room for."""
        if now < self._not_before:
            return []
        reports = []
        for report in self._numbering.unconfirmed():
            if len(self._open) >= self._window:
                break
            if report["messageId"] not in self._open:
                self._open[report["messageId"]] = report
                reports.append(report)
        return reports

    def wait_until(self) -> float:
        """Nothing is to be sent before this reading of the clock."""
        return self._not_before

    def receive(self, message: Message, now: float) -> list[Message]:
        """Takes a message of the manager; what is to be answered comes back."""
        kind = message["messageType"]
        if kind == "statusReportResponse":
            self._answered(message, now)
            return []
        if kind == "statusReportRequest":
            return [self._answer_request(message)]
        if kind in ("subscribe", "unsubscribe"):
            return [self._answer_subscription(message, now)]
        if kind.endswith("Response"):
            return []  # Nobody asked; never answered.
        self._tell(f"a message of type {kind!r}, which is not for a component; ignored")
        return []

    def _answer_subscription(self, message: Message, now: float) -> Message:
        kind, own = message["messageType"], self._numbering.component_id
        if message.get("componentId", own) != own:
            answer = messages.subscription_answer(message, own, f"unknown-component: this agent is {own}")
        elif self._subscriptions is None:
            answer = messages.subscription_answer(message, own, f"unsupported: this agent has no {kind}")
        elif kind == "subscribe":
            answer = self._subscriptions.subscribe(message, own, now)
        else:
            answer = self._subscriptions.unsubscribe(message, own)
        self._tell(f"{kind} {message.get('messageId')}: {answer['response']}")
        return answer

    def _answered(self, answer: Message, now: float) -> None:
        outcome = messages.outcome(answer)
        report = self._open.pop(str(answer.get("messageId")), None)
        if report is None:
            # Not about one of our reports: the manager speaks about the connection.
            self._tell(f"the manager says: {answer.get('response')}")
            return
        sequence = report["sequence"]
        if outcome.is_success:
            self._numbering.settle(sequence)
            self._tell(f"report {sequence}: stored")
        elif outcome.is_for_now:
            retry = messages.extension_object(answer, "retry") or {}
            seconds = _milliseconds(retry.get("retryAfterMs"))
            self._not_before = max(self._not_before, now + seconds)
            self._tell(f"report {sequence}: {outcome.code}, again in {seconds:g} s ({outcome.sentence})")
        else:
            self._refused(report, answer, outcome)

    def _refused(self, report: Message, answer: Message, outcome: messages.Outcome) -> None:
        sequence = report["sequence"]
        position = messages.extension_object(answer, "sequence")
        if outcome.code == "rejected" and position is not None:
            if report["incarnation"] != self._numbering.incarnation:
                return  # An answer to the old numbering; its report has a new number already.
            known = position.get("incarnation")
            self._tell(f"report {sequence}: the manager has newer numbers ({outcome.sentence}); numbering anew")
            self._numbering.restart_above(known if isinstance(known, int) else 0)
            return
        if report["incarnation"] == self._numbering.incarnation:
            self._numbering.settle(sequence)
        self._tell(f"report {sequence}: refused for good, {outcome.code} ({outcome.sentence})")

    def _answer_request(self, request: Message) -> Message:
        own = self._numbering.component_id
        asked = request.get("componentId", own)
        if asked != own:
            self._tell(f"request {request.get('messageId')}: about {asked!r}, which is not us")
            return messages.request_answer(request, asked, f"unknown-component: this agent is {own}", [])
        extension = messages.matching(self._status(), request)
        self._tell(f"request {request.get('messageId')}: answered with {len(extension)} objects")
        return messages.request_answer(request, own, "success", extension)


def _milliseconds(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return value / 1000
    return DEFAULT_RETRY_SECONDS
