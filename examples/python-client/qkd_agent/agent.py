"""Connects to the manager, moves lines both ways, keeps time. The rules are in ``conversation``."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from . import messages
from .backoff import Backoff
from .conversation import Conversation
from .key_store import KeyStore
from .numbering import Numbering


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


class Agent:
    """Makes a report every ``interval`` seconds, whether connected or not, and sees to it that all are stored."""

    def __init__(self, settings: Settings, numbering: Numbering, store: KeyStore, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._numbering = numbering
        self._store = store
        self._tell = tell
        self._made = 0
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Runs until ``count`` reports were made and all are settled; for ever with a count of 0."""
        maker = asyncio.create_task(self._make_reports())
        talker = asyncio.create_task(self._keep_connected())
        try:
            await maker
            while self._numbering.unconfirmed():
                self._changed.clear()
                done, _ = await asyncio.wait(
                    {talker, asyncio.ensure_future(self._changed.wait())}, return_when=asyncio.FIRST_COMPLETED
                )
                if talker in done:
                    talker.result()
        finally:
            maker.cancel()
            talker.cancel()
            await asyncio.gather(maker, talker, return_exceptions=True)

    async def _make_reports(self) -> None:
        while self._settings.count == 0 or self._made < self._settings.count:
            self._store.advance(self._settings.interval)
            at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._numbering.new_report(at, self._store.status())
            self._made += 1
            self._changed.set()
            await asyncio.sleep(self._settings.interval)

    async def _keep_connected(self) -> None:
        tls = tls_context(self._settings)
        backoff = Backoff()
        while True:
            try:
                await self._talk(tls, backoff)
                self._tell("the manager closed the connection")
            except (OSError, asyncio.IncompleteReadError, messages.BadLine) as error:
                self._tell(f"no connection: {error}")
            seconds = backoff.wait()
            self._tell(f"trying again in {seconds:.1f} s")
            await asyncio.sleep(seconds)

    async def _talk(self, tls: ssl.SSLContext, backoff: Backoff) -> None:
        settings = self._settings
        reader, writer = await asyncio.open_connection(
            settings.host, settings.port, ssl=tls, server_hostname=settings.host, limit=messages.MAX_LINE_BYTES + 2
        )
        self._tell(f"connected to {settings.host}:{settings.port}, {len(self._numbering.unconfirmed())} reports to send")
        conversation = Conversation(self._numbering, self._store.status, settings.window, self._tell)
        receiver = asyncio.create_task(self._receive(reader, writer, conversation, backoff))
        try:
            while not receiver.done():
                self._changed.clear()
                for report in conversation.to_send(time.monotonic()):
                    writer.write(messages.encode(report))
                await writer.drain()
                pause = conversation.wait_until() - time.monotonic()
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait(
                    {receiver, changed},
                    timeout=pause if pause > 0 else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                changed.cancel()
            receiver.result()
        finally:
            receiver.cancel()
            writer.close()

    async def _receive(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        conversation: Conversation,
        backoff: Backoff,
    ) -> None:
        while line := await reader.readline():
            message = messages.decode(line)
            if message is None:
                continue
            for answer in conversation.receive(message, time.monotonic()):
                writer.write(messages.encode(answer))
            await writer.drain()
            # A connection counts as good once the manager has said something on it.
            backoff.reset()
            self._changed.set()


def tls_context(settings: Settings) -> ssl.SSLContext:
    """TLS 1.3 with certificates on both sides; the manager's must carry the name it was called by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(settings.anchors)
    context.load_cert_chain(settings.certificate, settings.key)
    context.set_alpn_protocols(["qkdn/1"])
    return context
