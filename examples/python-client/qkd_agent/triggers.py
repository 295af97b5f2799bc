"""When a subscription has something to tell (section 6), as a state machine without I/O.

In go the status as objects of section 4 and a reading of a monotonic clock; out come the objects of a notification, or
nothing. Which subscriptions there are, and how notifications are numbered and sent, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from .messages import ExtensionObject, select

PERIODIC = "PERIODIC"
ONE_TIME = "ONE_TIME"
ON_EVENT = "ON_EVENT_DETECTION"
METHODS = (PERIODIC, ONE_TIME, ON_EVENT)

# A value by the type of its object, its resource, and its name.
Where = tuple[str, str, str]


class BadWish(ValueError):
    """A subscription that asks for what cannot be told; the text is for the one who asked."""


@dataclass(frozen=True)
class Threshold:
    """A level of a value, and which way it counts to cross it."""

    name: str
    level: float
    direction: str
    hysteresis: float


@dataclass(frozen=True)
class Wish:
    """What a ``subscribe`` asks for."""

    events: list[dict[str, Any]]
    method: str
    period: float = 0.0
    thresholds: list[Threshold] = field(default_factory=list)
    dampening: float = 0.0
    immediate: bool = False
    most: int = 0
    """Notifications after which it is over; 0: never."""


def wish_of(subscription: ExtensionObject) -> Wish:
    """Reads a subscription object; :class:`BadWish` says what is wrong with it."""
    events = subscription.get("events")
    if not isinstance(events, list) or not events or not all(isinstance(event, dict) for event in events):
        raise BadWish("events: expected a list of objects")
    method = subscription.get("notificationMethod")
    if method not in METHODS:
        raise BadWish(f"notificationMethod: expected one of {', '.join(METHODS)}")
    period = _number(subscription, "repetitionPeriodMs")
    if method == PERIODIC and period <= 0:
        raise BadWish("repetitionPeriodMs: a periodic subscription needs one above 0")
    return Wish(
        events=events,
        method=method,
        period=period / 1000,
        thresholds=[_threshold(item) for item in _list(subscription, "thresholds")],
        dampening=_number(subscription, "dampeningPeriodMs") / 1000,
        immediate=subscription.get("immediateReport") is True,
        most=int(_number(subscription, "maxReports")),
    )


def _list(item: dict[str, Any], key: str) -> list[Any]:
    value = item.get(key, [])
    if not isinstance(value, list):
        raise BadWish(f"{key}: expected a list")
    return value


def _number(item: dict[str, Any], key: str, default: float = 0.0) -> float:
    value = item.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise BadWish(f"{key}: expected a number of at least 0")
    return value


def _threshold(item: Any) -> Threshold:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise BadWish("thresholds: expected objects with a name")
    level = item.get("level")
    if isinstance(level, bool) or not isinstance(level, (int, float)):
        raise BadWish("thresholds: expected a number as level")
    direction = item.get("matchingDir", "CROSSED")
    if direction not in ("ASCENDING", "DESCENDING", "CROSSED"):
        raise BadWish("thresholds: matchingDir is ASCENDING, DESCENDING or CROSSED")
    return Threshold(item["name"], level, direction, _number(item, "hysteresis"))


class Crossing:
    """One threshold and one value, which counts as high from above the level on until it is below it.

    One way counts at the level, and again once the value has gone back by the hysteresis; both ways have it on both sides.
    The first value only says on which side it is.
    """

    def __init__(self, threshold: Threshold) -> None:
        level, hysteresis = threshold.level, threshold.hysteresis
        self._direction = threshold.direction
        self._level = level
        self._up = level if threshold.direction == "ASCENDING" else level + hysteresis
        self._down = level if threshold.direction == "DESCENDING" else level - hysteresis
        self._high: Optional[bool] = None

    def crossed(self, value: float) -> bool:
        """Takes a value; whether the threshold counts as crossed by it."""
        before = self._high
        edge = self._level if before is None else self._down if before else self._up
        # What falls counts when it reaches the level, what rises too.
        self._high = value > edge if self._direction == "DESCENDING" else value >= edge
        if before is None or self._high == before:
            return False
        return self._direction == "CROSSED" or self._high == (self._direction == "ASCENDING")


class Trigger:
    """One subscription's memory of what it has told."""

    def __init__(self, wish: Wish, now: float) -> None:
        self._wish = wish
        self._told = 0
        self._first = True
        self._next = now if wish.immediate or wish.method == ONE_TIME else now + wish.period
        self._not_before = now
        # Last values told, or known from the beginning.
        self._known: dict[Where, Any] = {}
        self._crossings: dict[tuple[int, str], Crossing] = {}
        # What has changed or crossed and is not told yet.
        self._pending: set[Where] = set()

    @property
    def is_over(self) -> bool:
        """Whether nothing will be told any more."""
        wish = self._wish
        return (wish.most > 0 and self._told >= wish.most) or (wish.method == ONE_TIME and self._told > 0)

    def due(self) -> Optional[float]:
        """When to look even if nothing has changed."""
        if self.is_over:
            return None
        if self._wish.method != ON_EVENT:
            return self._next
        return self._not_before if self._pending else None

    def look(self, status: list[ExtensionObject], now: float) -> Optional[list[ExtensionObject]]:
        """Takes the status of now: the objects to tell, or ``None``."""
        if self.is_over:
            return None
        selected = select(status, self._wish.events)
        if self._wish.method != ON_EVENT:
            return self._at_its_time(selected, now)
        self._observe(selected)
        if self._first:
            self._first = False
            if self._wish.immediate:
                return self._tell(selected, now)
            return None
        if not self._pending or now < self._not_before:
            return None
        objects = []
        for item in selected:
            values = {name: value for name, value in _values(item).items() if _where(item, name) in self._pending}
            if values:
                objects.append({**item, "values": values})
        return self._tell(objects, now)

    def _at_its_time(self, selected: list[ExtensionObject], now: float) -> Optional[list[ExtensionObject]]:
        if now < self._next:
            return None
        # Periods that were missed are not caught up.
        self._next += self._wish.period
        if self._next <= now:
            self._next = now + self._wish.period
        return self._tell(selected, now)

    def _tell(self, objects: list[ExtensionObject], now: float) -> list[ExtensionObject]:
        self._told += 1
        self._pending.clear()
        self._not_before = now + self._wish.dampening
        return objects

    def _observe(self, selected: list[ExtensionObject]) -> None:
        """Notes what is new: numbers by their thresholds if there are any, everything else by its change."""
        seen = set()
        for item in selected:
            for name, value in _values(item).items():
                where = _where(item, name)
                seen.add(where)
                if self._wish.thresholds and item["type"] == "performance":
                    if self._crossed(name, str(item.get("resource", "")), value):
                        self._pending.add(where)
                elif self._first:
                    self._known[where] = value
                elif where not in self._known or self._known[where] != value:
                    self._known[where] = value
                    self._pending.add(where)
        self._pending &= seen

    def _crossed(self, name: str, resource: str, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        crossed = False
        for number, threshold in enumerate(self._wish.thresholds):
            if threshold.name == name:
                crossing = self._crossings.setdefault((number, resource), Crossing(threshold))
                # Each of them has to see the value.
                crossed = crossing.crossed(value) or crossed
        return crossed


def _values(item: ExtensionObject) -> dict[str, Any]:
    values = item.get("values")
    return values if isinstance(values, dict) else {}


def _where(item: ExtensionObject, name: str) -> Where:
    return (item["type"], str(item.get("resource", "")), name)
