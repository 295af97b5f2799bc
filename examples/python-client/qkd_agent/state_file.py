"""A small JSON file that is the old one or the new one, whatever happens while it is written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class StateFileError(Exception):
    """The state file cannot be used."""


def write(path: Path, state: dict[str, Any]) -> None:
    """Replaces the file; on stable storage when this returns."""
    beside = path.with_name(path.name + ".new")
    with open(beside, "w", encoding="utf-8") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def read(path: Path, component_id: str) -> dict[str, Any]:
    """Reads the file of this component; its form is for the caller to check."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StateFileError(f"{path} cannot be read ({error}). Move it away to start anew") from error
    owner = state.get("componentId") if isinstance(state, dict) else None
    if owner != component_id:
        raise StateFileError(
            f"{path} is the memory of {owner!r}, not of {component_id!r}: give each component a file of its own"
        )
    return state
