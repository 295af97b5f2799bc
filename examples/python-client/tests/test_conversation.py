"""The rules of one connection."""

import tempfile
import unittest
from pathlib import Path
from typing import Any

from qkd_agent.conversation import Conversation
from qkd_agent.messages import Message
from qkd_agent.numbering import Numbering

AT = "2026-11-26T07:00:00Z"
STATUS = [{"type": "performance", "values": {"stored_key_count": 7, "relay_count": 1}}]


def answer(report: Message, response: str, *extension: dict[str, Any]) -> Message:
    return {
        "messageType": "statusReportResponse",
        "messageId": report["messageId"],
        "componentId": "km-1",
        "response": response,
        "extension": list(extension),
    }


class ConversationTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.numbering = Numbering(Path(folder.name) / "state.json", "km-1")
        self.told: list[str] = []

    def connect(self, window: int = 8) -> Conversation:
        return Conversation(self.numbering, lambda: STATUS, window, self.told.append)

    def report(self, count: int = 1) -> None:
        for _ in range(count):
            self.numbering.new_report(AT, STATUS)

    def test_the_window_is_never_passed_and_refilled_by_answers(self) -> None:
        self.report(5)
        conversation = self.connect(window=3)
        sent = conversation.to_send(0.0)
        self.assertEqual([report["sequence"] for report in sent], [1, 2, 3])
        self.assertEqual(conversation.to_send(0.0), [])
        conversation.receive(answer(sent[1], "success"), 0.0)
        self.assertEqual([report["sequence"] for report in conversation.to_send(0.0)], [4])

    def test_a_new_connection_sends_again_what_was_not_answered_unchanged(self) -> None:
        self.report(3)
        first = self.connect()
        sent = first.to_send(0.0)
        first.receive(answer(sent[0], "SUCCESS"), 0.0)
        self.assertEqual(self.connect().to_send(0.0), sent[1:])

    def test_overloaded_waits_as_long_as_it_is_told_and_sends_the_same(self) -> None:
        for code in ("overloaded", "unavailable"):
            with self.subTest(code=code):
                self.setUp()
                self.report()
                conversation = self.connect()
                sent = conversation.to_send(10.0)
                retry = {"type": "retry", "retryAfterMs": 2500}
                conversation.receive(answer(sent[0], f"{code}: later", retry), 10.0)
                self.assertEqual(conversation.to_send(12.4), [])
                self.assertEqual(conversation.wait_until(), 12.5)
                self.assertEqual(conversation.to_send(12.5), sent)

    def test_a_bad_retry_time_is_replaced(self) -> None:
        self.report()
        conversation = self.connect()
        sent = conversation.to_send(0.0)
        conversation.receive(answer(sent[0], "overloaded", {"type": "retry", "retryAfterMs": "soon"}), 0.0)
        self.assertEqual(conversation.wait_until(), 1.0)

    def test_a_refusal_for_good_gives_the_report_up(self) -> None:
        self.report()
        conversation = self.connect()
        sent = conversation.to_send(0.0)
        conversation.receive(answer(sent[0], "rejected: extension[0] is wrong"), 0.0)
        self.assertEqual(self.numbering.unconfirmed(), [])
        self.assertIn("extension[0] is wrong", self.told[-1])

    def test_older_numbers_than_the_managers_are_numbered_anew(self) -> None:
        self.report(2)
        conversation = self.connect()
        sent = conversation.to_send(0.0)
        known = self.numbering.incarnation + 5
        position = {"type": "sequence", "incarnation": known, "last": 900}
        for report in sent:
            conversation.receive(answer(report, "rejected: of an earlier incarnation", position), 0.0)
        again = conversation.to_send(0.0)
        self.assertEqual([report["sequence"] for report in again], [1, 2])
        self.assertEqual({report["incarnation"] for report in again}, {known + 1}, "once, not once a refusal")

    def test_answers_that_belong_to_nothing_only_tell(self) -> None:
        conversation = self.connect()
        bad = {"messageType": "statusReportResponse", "componentId": "", "response": "malformed: line 3"}
        self.assertEqual(conversation.receive(bad, 0.0), [])
        self.assertIn("malformed: line 3", self.told[-1])
        self.assertEqual(conversation.receive({"messageType": "futureResponse"}, 0.0), [])

    def test_a_request_is_answered_with_what_it_asks_for(self) -> None:
        conversation = self.connect()
        request = {
            "messageType": "statusReportRequest",
            "messageId": "r-1",
            "componentId": "km-1",
            "extension": [{"type": "query", "names": ["relay_count"]}],
        }
        (reply,) = conversation.receive(request, 0.0)
        self.assertEqual(reply["messageType"], "statusReportRequestResponse")
        self.assertEqual((reply["messageId"], reply["componentId"]), ("r-1", "km-1"))
        self.assertEqual(reply["response"], "success")
        self.assertEqual(reply["extension"], [{"type": "performance", "values": {"relay_count": 1}}])
        del request["componentId"]
        (reply,) = conversation.receive(request, 0.0)
        self.assertEqual((reply["componentId"], reply["response"]), ("km-1", "success"))

    def test_a_request_about_somebody_else_is_refused(self) -> None:
        request = {"messageType": "statusReportRequest", "messageId": "r-1", "componentId": "km-2"}
        (reply,) = self.connect().receive(request, 0.0)
        self.assertTrue(reply["response"].startswith("unknown-component: "))

    def test_subscriptions_are_unsupported(self) -> None:
        (reply,) = self.connect().receive({"messageType": "subscribe", "messageId": "s-1", "componentId": "km-1"}, 0.0)
        self.assertEqual(reply["messageType"], "subscribeResponse")
        self.assertTrue(reply["response"].startswith("unsupported: "))


if __name__ == "__main__":
    unittest.main()
