"""What the agent reports: the key store of a key manager that serves one link. QKD fills it, applications drain it.

A stand-in for a real store: replace this module to report about one.
"""

from __future__ import annotations

import random

from .messages import ExtensionObject

CAPACITY_KEYS = 100_000
KEY_BITS = 256


class KeyStore:
    """A store whose level follows a key rate and a demand that wander."""

    def __init__(self, peer: str, chance: random.Random | None = None) -> None:
        self._peer = peer
        self._chance = chance or random.Random()
        self._keys = CAPACITY_KEYS / 2
        self._rate = 20.0
        self._demand = 20.0

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self._rate = _near(self._rate * self._chance.uniform(0.97, 1.03), 10.0, 40.0)
        self._demand = _near(self._demand * self._chance.uniform(0.95, 1.05), 5.0, 60.0)
        self._keys = _near(self._keys + (self._rate - self._demand) * seconds, 0.0, CAPACITY_KEYS)

    def status(self) -> list[ExtensionObject]:
        """Everything there is to say, as objects of the protocol's section 4."""
        return [
            {
                "type": "performance",
                "resource": self._peer,
                "values": {
                    "stored_key_count": int(self._keys),
                    "key_store_level_bits": int(self._keys) * KEY_BITS,
                    "key_store_fill_ratio": round(self._keys / CAPACITY_KEYS, 4),
                    "key_input_rate_bps": round(self._rate * KEY_BITS, 1),
                    "key_output_rate_bps": round(self._demand * KEY_BITS, 1),
                },
            },
            {"type": "state", "values": {"operational_state": "enabled"}},
            {"type": "state", "resource": self._peer, "values": {"kma_link_state": "up"}},
        ]


def _near(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
