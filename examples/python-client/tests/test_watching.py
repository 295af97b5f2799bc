"""A user network manager that subscribes at the manager."""

import argparse
import tempfile
import unittest
from pathlib import Path
from typing import Any

from qkd_agent import watch_options
from qkd_agent.messages import Message
from qkd_agent.state_file import StateFileError
from qkd_agent.watching import Memory, Refused, Watching

WISH = {"events": [{}], "notificationMethod": "ON_EVENT_DETECTION", "durable": True}


def granted(request: Message, number: str, durable: bool = True, **more: Any) -> Message:
    subscription = {"type": "subscription", "subscriptionId": number, "granted": {"durable": durable}, **more}
    return answer(request, "success", subscription)


def answer(request: Message, response: str, *extension: dict[str, Any]) -> Message:
    return {
        "messageType": "subscribeResponse",
        "messageId": request["messageId"],
        "componentId": "unm-1",
        "response": response,
        "extension": list(extension),
    }


def notification(number: int, *extension: dict[str, Any]) -> Message:
    head = {"type": "notification", "subscriptionId": "a", "notificationSequence": number}
    return {
        "messageType": "statusReport",
        "messageId": f"n{number}",
        "componentId": "manager-1",
        "extension": [head, *extension],
    }


class WatchingTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "watch.json"
        self.told: list[str] = []

    def watching(self) -> Watching:
        return Watching(Memory(self.path, "unm-1"), dict(WISH), self.told.append)

    def test_notifications_are_answered_and_a_durable_one_is_resumed_after_a_restart(self) -> None:
        first = self.watching()
        request = first.connected()
        self.assertNotIn("subscriptionId", request["extension"][0])
        first.receive(granted(request, "a"))
        subject = {"referencePoint": "mk", "componentId": "km-1"}
        item = {"type": "performance", "subject": subject, "values": {"stored_key_count": 7}}
        [reply], _ = first.receive(notification(1, item))
        self.assertEqual(
            reply,
            {"messageType": "statusReportResponse", "messageId": "n1", "componentId": "manager-1", "response": "success"},
        )
        self.assertIn("notification 1: mk/km-1 performance stored_key_count=7", self.told)
        second = self.watching()
        request = second.connected()
        self.assertEqual(request["extension"][0]["subscriptionId"], "a")
        second.receive(granted(request, "a"))
        # What was answered may come again if the answer was lost.
        second.receive(notification(1, item))
        second.receive(notification(2, item))
        self.assertEqual((second.received, second.missing), (1, 0))
        self.assertIn("notification 1: a repeat", self.told)

    def test_gaps_are_shown_once(self) -> None:
        watching = self.watching()
        watching.receive(granted(watching.connected(), "a"))
        watching.receive(notification(1))
        watching.receive(notification(5, {"type": "gap", "from": 2, "to": 4}))
        self.assertEqual(watching.missing, 3)
        watching.receive(notification(8))
        self.assertEqual(watching.missing, 5)
        self.assertEqual([line for line in self.told if line.startswith("gap: ")], [
            "gap: notifications 2 to 4 are lost", "gap: notifications 6 to 7 never came"
        ])  # fmt: skip

    def test_a_gap_in_the_answer_to_a_resumption_counts(self) -> None:
        first = self.watching()
        first.receive(granted(first.connected(), "a"))
        first.receive(notification(1))
        second = self.watching()
        reply = granted(second.connected(), "a")
        reply["extension"].append({"type": "gap", "from": 2, "to": 9})
        second.receive(reply)
        second.receive(notification(10))
        self.assertEqual((second.missing, second.received), (8, 1))

    def test_one_that_is_forgotten_is_asked_for_anew_and_one_that_is_refused_is_not(self) -> None:
        watching = self.watching()
        watching.receive(granted(watching.connected(), "a"))
        request = watching.connected()
        [again], _ = watching.receive(answer(request, "rejected: no such subscription"))
        self.assertNotIn("subscriptionId", again["extension"][0])
        with self.assertRaises(Refused):
            watching.receive(answer(again, "not-authorized: you may not see this"))

    def test_a_refusal_for_now_waits_as_long_as_it_is_told(self) -> None:
        watching = self.watching()
        request = watching.connected()
        retry = {"type": "retry", "retryAfterMs": 1500}
        self.assertEqual(watching.receive(answer(request, "overloaded: full", retry)), ([], 1.5))
        self.assertEqual(watching.receive(granted({**request, "messageId": "other"}, "x")), ([], None))
        self.assertFalse(watching.granted)

    def test_one_that_is_not_durable_is_not_remembered(self) -> None:
        watching = self.watching()
        watching.receive(granted(watching.connected(), "a", durable=False))
        self.assertNotIn("subscriptionId", watching.connected()["extension"][0])

    def test_reports_that_are_no_notifications_are_refused_and_requests_answered(self) -> None:
        watching = self.watching()
        [reply], _ = watching.receive({"messageType": "statusReport", "componentId": "manager-1", "extension": []})
        self.assertTrue(reply["response"].startswith("rejected: "))
        [reply], _ = watching.receive({"messageType": "statusReportRequest", "messageId": "q1"})
        self.assertEqual((reply["response"], reply["componentId"]), ("success", "unm-1"))

    def test_the_memory_is_of_one_component(self) -> None:
        self.watching()
        with self.assertRaises(StateFileError):
            Memory(self.path, "unm-2")


class OptionsTest(unittest.TestCase):
    def test_the_wish_says_what_the_options_say(self) -> None:
        parser = watch_options.parser(str)
        words = "--manager h:1 --cert c --key k --ca a --component-id u --state s --component mk/km-* --type performance"
        more = " --threshold key_store_fill_ratio:0.2:descending:0.05 --dampening 0.5 --durable"
        wish = watch_options.wish(parser.parse_args((words + more).split()))
        self.assertEqual(wish["events"], [{"types": ["performance"], "components": ["mk/km-*"]}])
        threshold = {"name": "key_store_fill_ratio", "level": 0.2, "matchingDir": "DESCENDING", "hysteresis": 0.05}
        self.assertEqual(wish["thresholds"], [threshold])
        self.assertEqual((wish["dampeningPeriodMs"], wish["durable"], wish["immediateReport"]), (500, True, True))
        for bad in ("x", ":1", "x:y", "x:1:up", "x:1:crossed:2:3"):
            with self.subTest(bad=bad), self.assertRaises(argparse.ArgumentTypeError):
                watch_options.threshold(bad)


if __name__ == "__main__":
    unittest.main()
