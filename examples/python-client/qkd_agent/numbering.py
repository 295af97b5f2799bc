"""The agent's memory: how its reports are numbered, and which of them nobody has confirmed.

The file is written before a report is sent for the first time, so that a number never stands for two contents, whatever
happens in between. A report leaves the file when the manager has said ``success``, or has refused it for good.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from . import state_file
from .messages import ExtensionObject, Message, status_report
from .state_file import StateFileError

MAX_UNCONFIRMED = 1000
"""Reports kept while the manager cannot be reached. Fewer than the 1,024 numbers within which they may come late."""


class Numbering:
    """Numbers reports, and keeps those that are not confirmed, in a file."""

    def __init__(self, path: Path, component_id: str) -> None:
        self._path = path
        self.component_id = component_id
        # A new file starts a new numbering. The clock makes it higher than one that an earlier, lost file held; in
        # milliseconds, since an agent may be started twice within a second.
        self.incarnation = time.time_ns() // 1_000_000
        self.last = 0
        self.dropped = 0
        # Told of every report that is given up unconfirmed.
        self.on_dropped: Callable[[Message], None] = lambda report: None
        self._unconfirmed: dict[int, Message] = {}
        if path.exists():
            self._load()
        else:
            self._save()

    def new_report(self, at: str, extension: list[ExtensionObject]) -> Message:
        """Gives a report its number and remembers it. When too many wait, the oldest is given up and counted."""
        while len(self._unconfirmed) >= MAX_UNCONFIRMED:
            report = self._unconfirmed.pop(min(self._unconfirmed))
            self.dropped += 1
            self.on_dropped(report)
        self.last += 1
        report = status_report(self.component_id, self.incarnation, self.last, at, extension)
        self._unconfirmed[self.last] = report
        self._save()
        return report

    def unconfirmed(self) -> list[Message]:
        """Reports that have to be sent (again), the oldest first."""
        return [self._unconfirmed[sequence] for sequence in sorted(self._unconfirmed)]

    def settle(self, sequence: int) -> bool:
        """The manager has answered this number for good. Says whether it was waited for."""
        if self._unconfirmed.pop(sequence, None) is None:
            return False
        self._save()
        return True

    def restart_above(self, incarnation: int) -> None:
        """The manager is at ``incarnation`` and does not take our numbers: number anew, one incarnation higher."""
        self.incarnation = max(self.incarnation, incarnation) + 1
        waiting = self.unconfirmed()
        self.last = 0
        self._unconfirmed = {}
        for report in waiting:
            self.last += 1
            renumbered = status_report(
                self.component_id, self.incarnation, self.last, report["time"], report["extension"]
            )
            self._unconfirmed[self.last] = renumbered
        self._save()

    def _load(self) -> None:
        state = state_file.read(self._path, self.component_id)
        try:
            self.incarnation = int(state["incarnation"])
            self.last = int(state["last"])
            self._unconfirmed = {int(report["sequence"]): report for report in state["unconfirmed"]}
        except (ValueError, KeyError, TypeError) as error:
            raise StateFileError(
                f"{self._path} cannot be read ({error}). Without it the numbering starts anew: move it away to do so"
            ) from error

    def _save(self) -> None:
        state = {
            "componentId": self.component_id,
            "incarnation": self.incarnation,
            "last": self.last,
            "unconfirmed": self.unconfirmed(),
        }
        state_file.write(self._path, state)
