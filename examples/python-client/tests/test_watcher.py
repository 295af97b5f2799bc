"""A user network manager over real TLS, against a manager of a few lines that closes the first connection."""

import asyncio
import shutil
import ssl
import tempfile
import unittest
from pathlib import Path
from typing import Any

from qkd_agent import messages, tls
from qkd_agent.watcher import Place, Watcher
from qkd_agent.watching import Memory, Refused, Watching
from tests.certificates import make

WISH = {"events": [{}], "notificationMethod": "ON_EVENT_DETECTION", "durable": True}


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class WatcherTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.certificate, self.key = make(self.folder)
        self.subscribes: list[dict[str, Any]] = []
        self.answers: list[str] = []
        self.told: list[str] = []
        self.refuses = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = messages.decode(await reader.readline())
        assert request is not None
        self.subscribes.append(request["extension"][0])
        if self.refuses:
            writer.write(messages.encode(messages.subscription_answer(request, "unm-1", "not-authorized: no")))
            return
        granted = {"type": "subscription", "subscriptionId": "a", "granted": {"durable": True}}
        writer.write(messages.encode(messages.subscription_answer(request, "unm-1", "success", granted)))
        first = len(self.subscribes) == 1
        for number in (1, 2) if first else (2, 5):
            head: dict[str, Any] = {"type": "notification", "subscriptionId": "a", "notificationSequence": number}
            gap = [{"type": "gap", "from": 3, "to": 4}] if number == 5 else []
            report = {
                "messageType": "statusReport",
                "messageId": f"n{number}",
                "componentId": "manager-1",
                "extension": [head, *gap, {"type": "state", "values": {"operational_state": "enabled"}}],
            }
            writer.write(messages.encode(report))
            if first and number == 2:
                break  # Not answered as far as this manager knows: it comes again.
            answer = messages.decode(await reader.readline())
            assert answer is not None
            self.answers.append(f"{answer['messageId']} {answer['response']}")
        writer.close()

    async def watch(self, count: int) -> Watching:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        context.load_verify_locations(self.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(["qkdn/1"])
        server = await asyncio.start_server(self.serve, "localhost", 0, ssl=context)
        place = Place("localhost", server.sockets[0].getsockname()[1], count)
        watching = Watching(Memory(self.folder / "watch.json", "unm-1"), dict(WISH), self.told.append)
        own = tls.context(self.certificate, self.key, self.certificate)
        async with server:
            await asyncio.wait_for(Watcher(place, own, watching, self.told.append).run(), 30)
        return watching

    async def test_a_durable_subscription_goes_on_over_a_reconnect_and_gaps_are_shown(self) -> None:
        watching = await self.watch(count=3)
        self.assertNotIn("subscriptionId", self.subscribes[0])
        self.assertEqual(self.subscribes[1]["subscriptionId"], "a")
        self.assertEqual(self.answers[:2], ["n1 success", "n2 success"])
        self.assertEqual((watching.received, watching.missing), (3, 2))
        self.assertIn("gap: notifications 3 to 4 are lost", self.told)

    async def test_what_the_manager_does_not_grant_ends_it(self) -> None:
        self.refuses = True
        with self.assertRaises(Refused):
            await self.watch(count=1)


if __name__ == "__main__":
    unittest.main()
