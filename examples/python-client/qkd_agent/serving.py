"""The agent as one that is subscribed at (section 6): answers ``subscribe`` and ``unsubscribe``, makes notifications.

Notifications are reports like others: ``numbering`` keeps each until it is confirmed and sends it again on the next
connection, so a durable subscription loses none, up to what ``numbering`` has room for; what fell out of it is told as a
gap. Subscriptions live as long as the process; those that are not durable as long as their connection.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Optional

from . import messages
from .messages import ExtensionObject, Message
from .triggers import BadWish, Trigger, Wish, wish_of

MAX_SUBSCRIPTIONS = 32
"""Subscriptions at a time; more are refused."""


class _Subscription:
    def __init__(self, number: str, asked: ExtensionObject, wish: Wish, now: float) -> None:
        self.id = number
        self.correlation = asked.get("correlationId")
        self.durable = asked.get("durable") is True
        self.expiry = asked.get("expiryTime") if isinstance(asked.get("expiryTime"), str) else None
        self.expires = _time(self.expiry)
        self.wish = wish
        self.trigger = Trigger(wish, now)
        self.sequence = 0
        self.lost: list[int] = []

    def granted(self) -> dict[str, object]:
        """What the answer says was granted."""
        granted: dict[str, object] = {"notificationMethod": self.wish.method, "durable": self.durable}
        if self.wish.period:
            granted["repetitionPeriodMs"] = round(self.wish.period * 1000)
        if self.expiry:
            granted["expiryTime"] = self.expiry
        return granted

    def notification(self, objects: list[ExtensionObject]) -> list[ExtensionObject]:
        """The extension of its next notification, gaps that are not told yet included."""
        self.sequence += 1
        head: ExtensionObject = {
            "type": "notification",
            "subscriptionId": self.id,
            "notificationSequence": self.sequence,
        }
        if self.correlation is not None:
            head["correlationId"] = self.correlation
        gaps = [{"type": "gap", "from": first, "to": last} for first, last in _ranges(self.lost)]
        self.lost = []
        return [head, *gaps, *objects]


class Subscriptions:
    """All subscriptions at this agent."""

    def __init__(self) -> None:
        self._by_id: dict[str, _Subscription] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def subscribe(self, request: Message, own: str, now: float) -> Message:
        """Answers a ``subscribe``."""
        asked = messages.extension_object(request, "subscription")
        if asked is None:
            return messages.subscription_answer(request, own, "malformed: no object of type subscription")
        known = asked.get("subscriptionId")
        if known is not None:
            return self._resume(request, own, known)
        if len(self._by_id) >= MAX_SUBSCRIPTIONS:
            return messages.subscription_answer(request, own, f"rejected: {MAX_SUBSCRIPTIONS} subscriptions at most")
        try:
            wish = wish_of(asked)
        except BadWish as error:
            return messages.subscription_answer(request, own, f"rejected: {error}")
        subscription = _Subscription(str(uuid.uuid4()), asked, wish, now)
        if subscription.expiry is not None and subscription.expires is None:
            return messages.subscription_answer(request, own, "rejected: expiryTime: expected an RFC 3339 time")
        self._by_id[subscription.id] = subscription
        return self._grant(request, own, subscription)

    def _resume(self, request: Message, own: str, known: object) -> Message:
        subscription = self._by_id.get(known) if isinstance(known, str) else None
        if subscription is None:
            return messages.subscription_answer(request, own, "rejected: there is no subscription of this ID here")
        return self._grant(request, own, subscription)

    @staticmethod
    def _grant(request: Message, own: str, subscription: _Subscription) -> Message:
        granted = {
            "type": "subscription",
            "subscriptionId": subscription.id,
            "granted": subscription.granted(),
            "failedEvents": [],
        }
        return messages.subscription_answer(request, own, "success", granted)

    def unsubscribe(self, request: Message, own: str) -> Message:
        """Answers an ``unsubscribe``."""
        asked = messages.extension_object(request, "subscription") or {}
        known = asked.get("subscriptionId")
        if not isinstance(known, str) or self._by_id.pop(known, None) is None:
            return messages.subscription_answer(request, own, "rejected: there is no subscription of this ID here")
        return messages.subscription_answer(request, own, "success", {"type": "subscription", "subscriptionId": known})

    def connection_lost(self) -> None:
        """The connection is gone, and with it the subscriptions that are not durable."""
        self._by_id = {number: one for number, one in self._by_id.items() if one.durable}

    def lost(self, report: Message) -> None:
        """A report was given up unconfirmed; if it was a notification, its number is a gap."""
        head = messages.extension_object(report, "notification") or {}
        subscription = self._by_id.get(str(head.get("subscriptionId")))
        if subscription is not None:
            gaps = [item for item in report["extension"] if item.get("type") == "gap"]
            for gap in gaps:
                subscription.lost.extend(range(gap["from"], gap["to"] + 1))
            subscription.lost.append(head["notificationSequence"])

    def due(self) -> Optional[float]:
        """When to look even if nothing has changed."""
        times = [time for one in self._by_id.values() if (time := one.trigger.due()) is not None]
        return min(times, default=None)

    def notifications(self, status: list[ExtensionObject], now: float) -> list[list[ExtensionObject]]:
        """The extensions of the notifications that the status of now gives reason for."""
        notifications = []
        wall = datetime.now(timezone.utc)
        for one in list(self._by_id.values()):
            if one.expires is not None and wall >= one.expires:
                del self._by_id[one.id]
                continue
            objects = one.trigger.look(status, now)
            if objects is not None:
                notifications.append(one.notification(objects))
            if one.trigger.is_over:
                del self._by_id[one.id]
        return notifications


def _time(text: Optional[str]) -> Optional[datetime]:
    try:
        time = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    """Numbers as ranges from first to last."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges
