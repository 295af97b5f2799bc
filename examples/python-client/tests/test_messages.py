"""Lines, answers, queries."""

import json
import unittest

from qkd_agent import messages


class LinesTest(unittest.TestCase):
    def test_a_message_is_one_line_of_utf8(self) -> None:
        line = messages.encode({"messageType": "statusReport", "componentId": "München\n"})
        self.assertTrue(line.endswith(b"\n"))
        self.assertEqual(line.count(b"\n"), 1)
        self.assertEqual(json.loads(line)["componentId"], "München\n")

    def test_an_empty_line_means_nothing(self) -> None:
        self.assertIsNone(messages.decode(b"\n"))
        self.assertIsNone(messages.decode(b"\r\n"))

    def test_what_is_no_message_is_refused(self) -> None:
        for line in (b"x\n", b"[]\n", b"{}\n", b'{"messageType":1}\n', b"\xff\n", b"[" * 100_000):
            with self.subTest(line=line[:20]), self.assertRaises(messages.BadLine):
                messages.decode(line)

    def test_not_a_number_is_never_sent(self) -> None:
        with self.assertRaises(ValueError):
            messages.encode({"x": float("nan")})


class OutcomeTest(unittest.TestCase):
    def test_success_ignores_case(self) -> None:
        self.assertTrue(messages.outcome({"response": "Success"}).is_success)

    def test_the_code_ends_at_the_colon(self) -> None:
        outcome = messages.outcome({"response": "rejected: extension[0].values: no"})
        self.assertEqual((outcome.code, outcome.sentence), ("rejected", "extension[0].values: no"))

    def test_unknown_codes_and_missing_ones_are_failures(self) -> None:
        for answer in ({"response": "brand-new: x"}, {}, {"response": 1}):
            outcome = messages.outcome(answer)
            self.assertFalse(outcome.is_success)
            self.assertFalse(outcome.is_for_now)


OBJECTS = [
    {"type": "performance", "resource": "link", "values": {"a": 1, "b": 2}},
    {"type": "performance", "values": {"a": 3}},
    {"type": "state", "values": {"s": "up"}},
]


def query(**keys: list[str]) -> messages.Message:
    return {"messageType": "statusReportRequest", "extension": [{"type": "query", **keys}]}


class QueryTest(unittest.TestCase):
    def test_without_a_query_everything_is_told(self) -> None:
        self.assertEqual(messages.matching(OBJECTS, {"messageType": "statusReportRequest"}), OBJECTS)

    def test_types_names_and_resources_restrict(self) -> None:
        self.assertEqual(messages.matching(OBJECTS, query(types=["state"])), OBJECTS[2:])
        self.assertEqual(
            messages.matching(OBJECTS, query(names=["b"])),
            [{"type": "performance", "resource": "link", "values": {"b": 2}}],
        )
        self.assertEqual(messages.matching(OBJECTS, query(resources=["link"])), OBJECTS[:1])
        self.assertEqual(messages.matching(OBJECTS, query(resources=[""], types=["performance"])), OBJECTS[1:2])

    def test_two_queries_add_up(self) -> None:
        both = {"extension": query(names=["b"])["extension"] + query(types=["state"])["extension"]}
        self.assertEqual(len(messages.matching(OBJECTS, both)), 2)
        one_object = {"extension": query(names=["a"])["extension"] + query(names=["b"])["extension"]}
        self.assertEqual(messages.matching(OBJECTS, one_object)[0], OBJECTS[0])


if __name__ == "__main__":
    unittest.main()
