"""A user network manager that subscribes at the manager (section 6), as a state machine without I/O.

In go the messages of one connection after another; out come messages to send and lines for a person. The subscription's ID
and the last number seen are kept in a file, and kept before a notification is answered: what was answered is not told again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from . import messages, state_file
from .messages import ExtensionObject, Message

DEFAULT_RETRY_SECONDS = 1.0


class Refused(Exception):
    """The manager does not grant the subscription, and will not later."""


class Memory:
    """The subscription's ID and the number of its last notification, in a file."""

    def __init__(self, path: Path, component_id: str) -> None:
        self._path = path
        self.component_id = component_id
        self.subscription: Optional[str] = None
        self.last: Optional[int] = None
        if path.exists():
            state = state_file.read(path, component_id)
            subscription, last = state.get("subscriptionId"), state.get("last")
            self.subscription = subscription if isinstance(subscription, str) else None
            self.last = last if isinstance(last, int) else None
        else:
            self.save()

    def save(self) -> None:
        """Writes the file."""
        state = {"componentId": self.component_id, "subscriptionId": self.subscription, "last": self.last}
        state_file.write(self._path, state)


class Watching:
    """The rules of a subscriber."""

    def __init__(self, memory: Memory, wish: ExtensionObject, tell: Callable[[str], None]) -> None:
        self._memory = memory
        self._wish = wish
        self._tell = tell
        self._number = 0
        self._asked: Optional[str] = None
        self.granted = False
        self.received = 0
        self.missing = 0

    def connected(self) -> Message:
        """A connection is up: the ``subscribe`` to begin with."""
        self.granted = False
        self._number += 1
        self._asked = f"w{self._number}"
        subscription: ExtensionObject = {"type": "subscription", **self._wish}
        if self._memory.subscription is not None:
            subscription["subscriptionId"] = self._memory.subscription
        return {
            "messageType": "subscribe",
            "messageId": self._asked,
            "componentId": self._memory.component_id,
            "extension": [subscription],
        }

    def receive(self, message: Message) -> tuple[list[Message], Optional[float]]:
        """Takes a message of the manager: what to send, and in how many seconds to subscribe again if that is needed."""
        kind = message["messageType"]
        if kind == "subscribeResponse":
            return self._subscribed(message)
        if kind == "statusReport":
            return [self._notified(message)], None
        if kind == "statusReportRequest":
            own = self._memory.component_id
            return [messages.request_answer(message, message.get("componentId", own), "success", [])], None
        if not kind.endswith("Response"):
            self._tell(f"a message of type {kind!r}, which is not for a user network manager; ignored")
        elif "messageId" not in message:
            self._tell(f"the manager says: {message.get('response')}")
        return [], None

    def _subscribed(self, answer: Message) -> tuple[list[Message], Optional[float]]:
        if answer.get("messageId") != self._asked:
            return [], None
        outcome = messages.outcome(answer)
        resuming = self._memory.subscription is not None
        if outcome.is_success:
            return self._granted(answer, resuming), None
        if outcome.is_for_now:
            retry = (messages.extension_object(answer, "retry") or {}).get("retryAfterMs")
            seconds = retry / 1000 if isinstance(retry, (int, float)) else DEFAULT_RETRY_SECONDS
            self._tell(f"not subscribed, {outcome.code}: again in {seconds:g} s ({outcome.sentence})")
            return [], seconds
        if resuming:
            self._tell(f"the subscription from before is gone ({outcome.code}: {outcome.sentence}); a new one")
            self._forget()
            return [self.connected()], None
        raise Refused(f"{outcome.code}: {outcome.sentence}")

    def _forget(self) -> None:
        self._memory.subscription = None
        self._memory.last = None
        self._memory.save()

    def _granted(self, answer: Message, resuming: bool) -> list[Message]:
        granted = messages.extension_object(answer, "subscription") or {}
        subscription = granted.get("subscriptionId")
        if not isinstance(subscription, str):
            raise Refused("the manager granted a subscription without a subscriptionId")
        details = granted.get("granted")
        durable = self._wish.get("durable") is True and isinstance(details, dict) and details.get("durable") is True
        if resuming and subscription == self._memory.subscription:
            self._tell(f"resumed {subscription} after notification {self._memory.last or 0}")
        else:
            self._memory.last = None
            kind = "durable " if durable else ""
            self._tell(f"subscribed: {kind}{subscription}")
        self._memory.subscription = subscription if durable or resuming else None
        self._memory.save()
        self.granted = True
        failed = granted.get("failedEvents")
        if isinstance(failed, list) and failed:
            self._tell(f"not granted: {json.dumps(failed)}")
        for item in _objects(answer, "gap"):
            self._gap(item)
        return []

    def _notified(self, report: Message) -> Message:
        answer: Message = {"messageType": "statusReportResponse", "componentId": report.get("componentId", "")}
        if "messageId" in report:
            answer["messageId"] = report["messageId"]
        extension = report.get("extension")
        items = [item for item in extension if isinstance(item, dict)] if isinstance(extension, list) else []
        if not items or items[0].get("type") != "notification":
            self._tell("a report that is no notification; stored nowhere")
            return {**answer, "response": "rejected: not a notification of a subscription of mine"}
        number = items[0].get("notificationSequence")
        for item in items[1:]:
            if item.get("type") == "gap":
                self._gap(item)
        if self._is_new(number):
            self.received += 1
            for item in items[1:]:
                if item.get("type") != "gap":
                    self._tell(f"notification {number}: {describe(item)}")
            if len(items) == 1:
                self._tell(f"notification {number}: nothing")
        else:
            self._tell(f"notification {number}: a repeat")
        return {**answer, "response": "success"}

    def _is_new(self, number: Any) -> bool:
        if not isinstance(number, int):
            return True
        last = self._memory.last
        if last is not None and number <= last:
            return False
        if last is not None and number > last + 1:
            self._tell(f"gap: notifications {last + 1} to {number - 1} never came")
            self.missing += number - last - 1
        self._memory.last = number
        self._memory.save()
        return True

    def _gap(self, item: ExtensionObject) -> None:
        first, last = item.get("from"), item.get("to")
        if not isinstance(first, int) or not isinstance(last, int) or last < first:
            return
        seen = self._memory.last
        if seen is not None and last <= seen:
            return
        self._tell(f"gap: notifications {first} to {last} are lost")
        self.missing += last - (first - 1 if seen is None else seen)
        self._memory.last = last
        self._memory.save()


def _objects(message: Message, kind: str) -> list[ExtensionObject]:
    extension = message.get("extension")
    items = extension if isinstance(extension, list) else []
    return [item for item in items if isinstance(item, dict) and item.get("type") == kind]


def describe(item: ExtensionObject) -> str:
    """One object of section 4 as a line: of whom, what kind, what it says."""
    subject = item.get("subject")
    whose = "the network"
    if isinstance(subject, dict):
        whose = f"{subject.get('referencePoint', '?')}/{subject.get('componentId', '?')}"
    resource = f" {item['resource']}" if item.get("resource") else ""
    values = item.get("values")
    if isinstance(values, dict):
        said = " ".join(f"{name}={json.dumps(value)}" for name, value in values.items())
    else:
        hidden = ("type", "subject", "resource")
        said = " ".join(f"{key}={json.dumps(value)}" for key, value in item.items() if key not in hidden)
    return f"{whose}{resource} {item.get('type')} {said}"
