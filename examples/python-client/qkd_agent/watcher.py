"""Connects to the manager's Mu interface and moves the lines of a subscription. The rules are in ``watching``."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from . import messages
from .backoff import Backoff
from .watching import Watching


@dataclass(frozen=True)
class Place:
    """Where the manager is, and how much is to be seen of it."""

    host: str
    port: int
    count: int
    """Ends after so many notifications; 0: never."""


class Watcher:
    """Keeps a subscription over one connection after another."""

    def __init__(self, place: Place, tls: ssl.SSLContext, watching: Watching, tell: Callable[[str], None]) -> None:
        self._place = place
        self._tls = tls
        self._watching = watching
        self._tell = tell

    async def run(self) -> None:
        """Runs until enough was seen; :class:`watching.Refused` if the manager grants nothing."""
        backoff = Backoff()
        while not self._enough():
            try:
                await self._talk(backoff)
                if self._enough():
                    return
                self._tell("the manager closed the connection")
            except (OSError, ValueError) as error:
                self._tell(f"no connection: {error}")
            seconds = backoff.wait()
            self._tell(f"trying again in {seconds:.1f} s")
            await asyncio.sleep(seconds)

    def _enough(self) -> bool:
        return 0 < self._place.count <= self._watching.received

    async def _talk(self, backoff: Backoff) -> None:
        place = self._place
        reader, writer = await asyncio.open_connection(
            place.host, place.port, ssl=self._tls, server_hostname=place.host, limit=messages.MAX_LINE_BYTES + 2
        )
        self._tell(f"connected to {place.host}:{place.port}")
        again = None
        try:
            writer.write(messages.encode(self._watching.connected()))
            await writer.drain()
            while not self._enough():
                line = await reader.readline()
                if not line.endswith(b"\n"):
                    return
                message = messages.decode(line)
                if message is None:
                    continue
                replies, seconds = self._watching.receive(message)
                for reply in replies:
                    writer.write(messages.encode(reply))
                await writer.drain()
                if self._watching.granted:
                    backoff.reset()
                if seconds is not None:
                    again = asyncio.create_task(self._subscribe_later(writer, seconds))
        finally:
            if again is not None:
                again.cancel()
            writer.close()

    async def _subscribe_later(self, writer: asyncio.StreamWriter, seconds: float) -> None:
        await asyncio.sleep(seconds)
        writer.write(messages.encode(self._watching.connected()))
        await writer.drain()
