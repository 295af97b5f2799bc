"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random


class Backoff:
    """Doubles up to a cap; each wait is a random part of it, so that many agents do not come back all at once."""

    def __init__(self, first: float = 0.2, cap: float = 30.0, chance: random.Random | None = None) -> None:
        self._first = first
        self._cap = cap
        self._next = first
        self._chance = chance or random.Random()

    def wait(self) -> float:
        """Seconds to wait now: between half of the current step and all of it."""
        step, self._next = self._next, min(self._next * 2, self._cap)
        return step * self._chance.uniform(0.5, 1.0)

    def reset(self) -> None:
        """An attempt went well."""
        self._next = self._first
