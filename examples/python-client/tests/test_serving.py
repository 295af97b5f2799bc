"""Subscriptions of others at the agent."""

import tempfile
import unittest
from pathlib import Path
from typing import Any

from qkd_agent import numbering
from qkd_agent.conversation import Conversation
from qkd_agent.messages import Message
from qkd_agent.numbering import Numbering
from qkd_agent.serving import MAX_SUBSCRIPTIONS, Subscriptions

STATUS = [{"type": "performance", "values": {"stored_key_count": 7}}]
LATER = [{"type": "performance", "values": {"stored_key_count": 8}}]


def subscribe(**asked: Any) -> Message:
    subscription = {"type": "subscription", "events": [{}], "notificationMethod": "ON_EVENT_DETECTION", **asked}
    return {"messageType": "subscribe", "messageId": "s1", "componentId": "km-1", "extension": [subscription]}


def unsubscribe(number: str) -> Message:
    asked = {"type": "subscription", "subscriptionId": number}
    return {"messageType": "unsubscribe", "messageId": "s2", "componentId": "km-1", "extension": [asked]}


class ServingTest(unittest.TestCase):
    def setUp(self) -> None:
        self.served = Subscriptions()

    def granted(self, **asked: Any) -> str:
        answer = self.served.subscribe(subscribe(**asked), "km-1", 0.0)
        self.assertEqual((answer["messageType"], answer["messageId"]), ("subscribeResponse", "s1"))
        self.assertEqual(answer["response"], "success")
        return str(answer["extension"][0]["subscriptionId"])

    def test_notifications_are_numbered_and_carry_the_correlation(self) -> None:
        number = self.granted(immediateReport=True, correlationId="stores")
        [first] = self.served.notifications(STATUS, 0.0)
        [second] = self.served.notifications(LATER, 1.0)
        head = {"type": "notification", "subscriptionId": number, "correlationId": "stores"}
        self.assertEqual(first, [{**head, "notificationSequence": 1}, *STATUS])
        self.assertEqual(second, [{**head, "notificationSequence": 2}, *LATER])
        self.assertEqual(self.served.unsubscribe(unsubscribe(number), "km-1")["response"], "success")
        self.assertTrue(self.served.unsubscribe(unsubscribe(number), "km-1")["response"].startswith("rejected: "))
        self.assertEqual(self.served.notifications(STATUS, 2.0), [])

    def test_only_durable_ones_outlive_their_connection_and_are_resumed(self) -> None:
        passing, durable = self.granted(), self.granted(durable=True)
        self.served.connection_lost()
        self.assertEqual(len(self.served), 1)
        self.assertEqual(self.granted(subscriptionId=durable), durable)
        refused = self.served.subscribe(subscribe(subscriptionId=passing), "km-1", 0.0)
        self.assertTrue(refused["response"].startswith("rejected: "))

    def test_what_is_over_is_gone(self) -> None:
        self.granted(notificationMethod="ONE_TIME")
        self.granted(expiryTime="2020-01-01T00:00:00Z")
        self.assertEqual(len(self.served.notifications(STATUS, 0.0)), 1)
        self.assertEqual(len(self.served), 0)

    def test_there_is_room_for_so_many_and_bad_ones_are_refused(self) -> None:
        refused = self.served.subscribe(subscribe(events=[]), "km-1", 0.0)
        self.assertEqual(refused["response"].split(":")[:2], ["rejected", " events"])
        for _ in range(MAX_SUBSCRIPTIONS):
            self.granted()
        self.assertTrue(self.served.subscribe(subscribe(), "km-1", 0.0)["response"].startswith("rejected: "))

    def test_what_falls_out_of_the_backlog_is_told_as_a_gap(self) -> None:
        number = self.granted(durable=True, immediateReport=True)
        with tempfile.TemporaryDirectory() as folder:
            most, numbering.MAX_UNCONFIRMED = numbering.MAX_UNCONFIRMED, 3
            self.addCleanup(setattr, numbering, "MAX_UNCONFIRMED", most)
            kept = Numbering(Path(folder) / "state.json", "km-1")
            kept.on_dropped = self.served.lost
            for count in range(6):
                status = [{"type": "performance", "values": {"stored_key_count": count}}]
                for extension in self.served.notifications(status, float(count)):
                    kept.new_report("2026-11-26T07:00:00Z", extension)
            told, gaps = set(), set()
            for report in kept.unconfirmed():
                for item in report["extension"]:
                    if item["type"] == "notification":
                        self.assertEqual(item["subscriptionId"], number)
                        told.add(item["notificationSequence"])
                    if item["type"] == "gap":
                        gaps.update(range(item["from"], item["to"] + 1))
        # What was lost last is told with the next notification.
        [extension] = self.served.notifications([{"type": "performance", "values": {"stored_key_count": 99}}], 9.0)
        gaps.update(n for item in extension if item["type"] == "gap" for n in range(item["from"], item["to"] + 1))
        self.assertEqual(told, {4, 5, 6})
        self.assertEqual(gaps, {1, 2, 3})

    def test_the_conversation_serves_them_unless_told_not_to(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            kept = Numbering(Path(folder) / "state.json", "km-1")
            serving = Conversation(kept, lambda: STATUS, 8, lambda _: None, self.served)
            [answer] = serving.receive(subscribe(), 0.0)
            self.assertEqual(answer["response"], "success")
            [answer] = serving.receive({**subscribe(), "componentId": "km-9"}, 0.0)
            self.assertTrue(answer["response"].startswith("unknown-component: "))
            [answer] = Conversation(kept, lambda: STATUS, 8, lambda _: None).receive(subscribe(), 0.0)
            self.assertTrue(answer["response"].startswith("unsupported: "))


if __name__ == "__main__":
    unittest.main()
