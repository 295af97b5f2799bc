"""The agent's memory."""

import tempfile
import unittest
from pathlib import Path

from qkd_agent.numbering import MAX_UNCONFIRMED, Numbering, StateFileError

AT = "2026-11-26T07:00:00Z"


class NumberingTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "state.json"

    def test_numbers_go_on_after_a_restart_and_unconfirmed_reports_are_the_same(self) -> None:
        first = Numbering(self.path, "km-1")
        reports = [first.new_report(AT, [{"type": "state", "values": {"n": n}}]) for n in range(3)]
        self.assertTrue(first.settle(2))
        second = Numbering(self.path, "km-1")
        self.assertEqual(second.unconfirmed(), [reports[0], reports[2]])
        self.assertEqual(second.new_report(AT, [])["sequence"], 4)
        self.assertEqual(second.incarnation, first.incarnation)

    def test_a_report_is_in_the_file_before_anybody_can_send_it(self) -> None:
        report = Numbering(self.path, "km-1").new_report(AT, [])
        self.assertEqual(Numbering(self.path, "km-1").unconfirmed(), [report])

    def test_settling_twice_tells(self) -> None:
        numbering = Numbering(self.path, "km-1")
        numbering.new_report(AT, [])
        self.assertTrue(numbering.settle(1))
        self.assertFalse(numbering.settle(1))

    def test_a_new_incarnation_renumbers_what_waits_in_order(self) -> None:
        numbering = Numbering(self.path, "km-1")
        for n in range(5):
            numbering.new_report(AT, [{"type": "state", "values": {"n": n}}])
        numbering.settle(1)
        above = numbering.incarnation + 10
        numbering.restart_above(above)
        waiting = numbering.unconfirmed()
        self.assertEqual([report["sequence"] for report in waiting], [1, 2, 3, 4])
        self.assertEqual([report["extension"][0]["values"]["n"] for report in waiting], [1, 2, 3, 4])
        self.assertEqual({report["incarnation"] for report in waiting}, {above + 1})
        self.assertEqual(len({report["messageId"] for report in waiting}), 4)

    def test_an_incarnation_never_goes_down(self) -> None:
        numbering = Numbering(self.path, "km-1")
        before = numbering.incarnation
        numbering.restart_above(0)
        self.assertGreater(numbering.incarnation, before)

    def test_the_memory_is_bounded(self) -> None:
        numbering = Numbering(self.path, "km-1")
        numbering._save = lambda: None  # type: ignore[method-assign]  # thousands of fsyncs show nothing here
        for _ in range(MAX_UNCONFIRMED + 5):
            numbering.new_report(AT, [])
        waiting = numbering.unconfirmed()
        self.assertEqual((len(waiting), numbering.dropped), (MAX_UNCONFIRMED, 5))
        self.assertEqual(waiting[0]["sequence"], 6, "the oldest are given up")

    def test_a_foreign_or_broken_file_is_not_overwritten(self) -> None:
        Numbering(self.path, "km-1")
        with self.assertRaises(StateFileError):
            Numbering(self.path, "km-2")
        self.path.write_text("{", encoding="utf-8")
        with self.assertRaises(StateFileError):
            Numbering(self.path, "km-1")
        self.assertEqual(self.path.read_text(encoding="utf-8"), "{")


if __name__ == "__main__":
    unittest.main()
