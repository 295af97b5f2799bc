"""When a subscription has something to tell."""

import random
import unittest
from typing import Any

from qkd_agent.triggers import BadWish, Crossing, Threshold, Trigger, wish_of

EVERYTHING: list[dict[str, Any]] = [{}]


def status(fill: float, state: str = "enabled", resource: str = "km-2") -> list[dict[str, Any]]:
    return [
        {"type": "performance", "resource": resource, "values": {"key_store_fill_ratio": fill, "stored_key_count": 7}},
        {"type": "state", "values": {"operational_state": state}},
    ]


def trigger(method: str, **more: Any) -> Trigger:
    return Trigger(wish_of({"events": EVERYTHING, "notificationMethod": method, **more}), 0.0)


class WishTest(unittest.TestCase):
    def test_what_cannot_be_told_is_refused_with_its_key(self) -> None:
        good: dict[str, Any] = {"events": EVERYTHING, "notificationMethod": "ON_EVENT_DETECTION"}
        wrong: list[tuple[str, dict[str, Any]]] = [
            ("events", {"events": []}),
            ("events", {"events": ["performance"]}),
            ("notificationMethod", {"notificationMethod": "SOMETIMES"}),
            ("repetitionPeriodMs", {"notificationMethod": "PERIODIC"}),
            ("repetitionPeriodMs", {"notificationMethod": "PERIODIC", "repetitionPeriodMs": -1}),
            ("dampeningPeriodMs", {"dampeningPeriodMs": True}),
            ("thresholds", {"thresholds": {}}),
            ("thresholds", {"thresholds": [{"name": "a"}]}),
            ("thresholds", {"thresholds": [{"name": "a", "level": 1, "matchingDir": "UP"}]}),
            ("hysteresis", {"thresholds": [{"name": "a", "level": 1, "hysteresis": -1}]}),
        ]
        wish_of(good)
        for key, change in wrong:
            with self.subTest(change=change), self.assertRaisesRegex(BadWish, key):
                wish_of({**good, **change})


class CrossingTest(unittest.TestCase):
    def crossed(self, direction: str, values: list[float]) -> list[bool]:
        crossing = Crossing(Threshold("x", 10.0, direction, 2.0))
        return [crossing.crossed(value) for value in values]

    def test_it_counts_again_only_after_the_hysteresis(self) -> None:
        values = [5, 10, 9, 11, 7.9, 10]
        self.assertEqual(self.crossed("ASCENDING", values), [False, True, False, False, False, True])
        both = [5, 11, 12, 9, 8, 7.9, 11, 12]
        self.assertEqual(self.crossed("CROSSED", both), [False, False, True, False, False, True, False, True])
        falling = [15, 10, 11, 9, 12.1, 10]
        self.assertEqual(self.crossed("DESCENDING", falling), [False, True, False, False, False, True])

    def test_the_first_value_never_counts_and_both_ways_take_turns(self) -> None:
        chance = random.Random(5)
        for _ in range(200):
            values = [chance.uniform(0, 20) for _ in range(60)]
            for direction in ("ASCENDING", "DESCENDING", "CROSSED"):
                crossed = self.crossed(direction, values)
                self.assertFalse(crossed[0])
                if direction == "CROSSED":
                    sides = [value >= 10 for value, counts in zip(values, crossed) if counts]
                    self.assertTrue(all(a != b for a, b in zip(sides, sides[1:])))
                else:
                    rising = direction == "ASCENDING"
                    for value, counts in zip(values, crossed):
                        self.assertFalse(counts and (value < 10 if rising else value > 10))


class TriggerTest(unittest.TestCase):
    def test_periodic_ones_keep_their_period_and_catch_nothing_up(self) -> None:
        periodic = trigger("PERIODIC", repetitionPeriodMs=1000)
        told = [time for time in (0.0, 0.5, 1.0, 1.2, 2.1, 9.0, 9.1, 10.1) if periodic.look(status(0.5), time)]
        self.assertEqual(told, [1.0, 2.1, 9.0, 10.1])
        at_once = trigger("PERIODIC", repetitionPeriodMs=1000, immediateReport=True)
        self.assertEqual(at_once.look(status(0.5), 0.0), status(0.5))

    def test_one_time_is_told_once(self) -> None:
        once = trigger("ONE_TIME")
        self.assertEqual(once.look(status(0.5), 0.0), status(0.5))
        self.assertTrue(once.is_over)
        self.assertIsNone(once.look(status(0.6), 9.0))

    def test_a_change_tells_what_has_changed_and_nothing_else(self) -> None:
        on_change = trigger("ON_EVENT_DETECTION")
        self.assertIsNone(on_change.look(status(0.5), 0.0))
        self.assertIsNone(on_change.look(status(0.5), 1.0))
        wanted = [{"type": "performance", "resource": "km-2", "values": {"key_store_fill_ratio": 0.6}}]
        self.assertEqual(on_change.look(status(0.6), 2.0), wanted)
        self.assertEqual(
            on_change.look(status(0.6, "disabled"), 3.0), [{"type": "state", "values": {"operational_state": "disabled"}}]
        )

    def test_with_thresholds_numbers_are_told_when_they_cross_one_and_states_when_they_change(self) -> None:
        low = {"name": "key_store_fill_ratio", "level": 0.2, "matchingDir": "DESCENDING", "hysteresis": 0.1}
        watched = trigger("ON_EVENT_DETECTION", thresholds=[low])
        fills = [0.5, 0.3, 0.15, 0.25, 0.1, 0.35, 0.2]
        told = [fill for time, fill in enumerate(fills) if watched.look(status(fill), float(time))]
        self.assertEqual(told, [0.15, 0.2])
        self.assertTrue(watched.look(status(0.1, "disabled"), 9.0))

    def test_dampening_gathers_and_loses_nothing(self) -> None:
        damped = trigger("ON_EVENT_DETECTION", dampeningPeriodMs=1000, immediateReport=True)
        self.assertTrue(damped.look(status(0.5), 0.0))
        self.assertIsNone(damped.look(status(0.6), 0.3))
        self.assertIsNone(damped.look(status(0.6, "disabled"), 0.6))
        self.assertEqual(damped.due(), 1.0)
        told = damped.look(status(0.7, "disabled"), 1.0)
        assert told is not None
        self.assertEqual([item["values"] for item in told], [{"key_store_fill_ratio": 0.7}, {"operational_state": "disabled"}])
        self.assertIsNone(damped.due())

    def test_no_more_than_asked_for(self) -> None:
        limited = trigger("ON_EVENT_DETECTION", maxReports=2, immediateReport=True)
        told = [fill for fill in (1.0, 0.9, 0.8, 0.7) if limited.look(status(fill), 0.0)]
        self.assertEqual(told, [1.0, 0.9])

    def test_events_select(self) -> None:
        events = [{"types": ["performance"], "names": ["stored_key_count"]}]
        narrow = Trigger(wish_of({"events": events, "notificationMethod": "ONE_TIME"}), 0.0)
        wanted = [{"type": "performance", "resource": "km-2", "values": {"stored_key_count": 7}}]
        self.assertEqual(narrow.look(status(0.5), 0.0), wanted)


if __name__ == "__main__":
    unittest.main()
