"""Connects to the manager, moves lines both ways, keeps time. The rules are in ``conversation``."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from . import messages, tls
from .backoff import Backoff
from .conversation import Conversation
from .key_store import KeyStore
from .numbering import Numbering
from .serving import Subscriptions


@dataclass(frozen=True)
class Settings:
    """What the command line says."""

    host: str
    port: int
    certificate: Path
    key: Path
    anchors: Path
    interval: float
    count: int
    window: int
    serves_subscriptions: bool = True


class Agent:
    """Makes a report every ``interval`` seconds, whether connected or not, and sees to it that all are stored."""

    def __init__(
        self,
        settings: Settings,
        context: ssl.SSLContext,
        numbering: Numbering,
        store: KeyStore,
        tell: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._tls = context
        self._numbering = numbering
        self._store = store
        self._tell = tell
        self._subscriptions = Subscriptions()
        numbering.on_dropped = self._subscriptions.lost
        # Set when the status or the subscriptions may have changed.
        self._changed = asyncio.Event()
        # Set when there may be something to send; and when an answer may have settled a report.
        self._work = asyncio.Event()
        self._progress = asyncio.Event()

    async def run(self) -> None:
        """Runs until ``count`` reports were made and all are settled; for ever with a count of 0."""
        talker = asyncio.gather(self._keep_connected(), self._notify())
        try:
            await self._make_reports()
            while self._numbering.unconfirmed():
                self._progress.clear()
                await self._progress.wait()
        finally:
            talker.cancel()
            await asyncio.gather(talker, return_exceptions=True)

    async def _make_reports(self) -> None:
        made = 0
        while self._settings.count == 0 or made < self._settings.count:
            if made > 0:
                await asyncio.sleep(self._settings.interval)
                self._store.advance(self._settings.interval)
                self._changed.set()
            self._numbering.new_report(_now(), self._store.status())
            made += 1
            self._work.set()

    async def _notify(self) -> None:
        """Tells subscribers what they want to know, when the status changes or it is time."""
        while True:
            self._changed.clear()
            now = time.monotonic()
            for extension in self._subscriptions.notifications(self._store.status(), now):
                self._numbering.new_report(_now(), extension)
                self._work.set()
            due = self._subscriptions.due()
            # At least a few milliseconds, so that a time that has just come does not make this spin.
            pause = None if due is None else max(due - time.monotonic(), 0.005)
            try:
                await asyncio.wait_for(self._changed.wait(), pause)
            except asyncio.TimeoutError:
                pass

    async def _keep_connected(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._talk(backoff)
                self._tell("the manager closed the connection")
            except (OSError, ValueError) as error:
                # ValueError: a line that is too long or no message.
                self._tell(f"no connection: {error}")
            seconds = backoff.wait()
            self._tell(f"trying again in {seconds:.1f} s")
            await asyncio.sleep(seconds)

    async def _talk(self, backoff: Backoff) -> None:
        settings = self._settings
        reader, writer = await asyncio.open_connection(
            settings.host,
            settings.port,
            ssl=self._tls,
            server_hostname=settings.host,
            limit=messages.MAX_LINE_BYTES + 2,
        )
        self._tell(f"connected to {settings.host}:{settings.port}, {len(self._numbering.unconfirmed())} reports to send")
        served = self._subscriptions if settings.serves_subscriptions else None
        conversation = Conversation(self._numbering, self._store.status, settings.window, self._tell, served)
        receiver = asyncio.create_task(self._receive(reader, writer, conversation, backoff))
        try:
            while not receiver.done():
                self._work.clear()
                for report in conversation.to_send(time.monotonic()):
                    writer.write(messages.encode(report))
                await writer.drain()
                pause = conversation.wait_until() - time.monotonic()
                woken = asyncio.create_task(self._work.wait())
                await asyncio.wait(
                    {receiver, woken}, timeout=pause if pause > 0 else None, return_when=asyncio.FIRST_COMPLETED
                )
                woken.cancel()
            receiver.result()
        finally:
            receiver.cancel()
            await asyncio.gather(receiver, return_exceptions=True)
            writer.close()
            self._subscriptions.connection_lost()

    async def _receive(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        conversation: Conversation,
        backoff: Backoff,
    ) -> None:
        # A last line without its LF is cut off, and dropped.
        while (line := await reader.readline()).endswith(b"\n"):
            message = messages.decode(line)
            if message is None:
                continue
            for answer in conversation.receive(message, time.monotonic()):
                writer.write(messages.encode(answer))
            await writer.drain()
            # A connection counts as good once the manager has said something on it.
            backoff.reset()
            self._work.set()
            self._progress.set()
            if message["messageType"] == "subscribe":
                self._changed.set()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def tls_context(settings: Settings) -> ssl.SSLContext:
    """TLS with this agent's certificate."""
    return tls.context(settings.certificate, settings.key, settings.anchors)
