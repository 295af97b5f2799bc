"""Back-off, the key store, and the agent over real TLS against a manager of a few lines."""

import asyncio
import random
import shutil
import ssl
import tempfile
import unittest
from pathlib import Path

from qkd_agent import messages
from qkd_agent.agent import Agent, Settings, tls_context
from qkd_agent.backoff import Backoff
from qkd_agent.key_store import CAPACITY_KEYS, KeyStore
from qkd_agent.numbering import Numbering
from tests.certificates import make


class BackoffTest(unittest.TestCase):
    def test_it_doubles_to_the_cap_and_starts_anew_after_success(self) -> None:
        backoff = Backoff(first=1.0, cap=8.0, chance=random.Random(1))
        for step in (1.0, 2.0, 4.0, 8.0, 8.0, 8.0):
            wait = backoff.wait()
            self.assertTrue(step / 2 <= wait <= step, (step, wait))
        backoff.reset()
        self.assertLessEqual(backoff.wait(), 1.0)

    def test_two_agents_do_not_wait_the_same(self) -> None:
        self.assertNotEqual(Backoff(chance=random.Random(1)).wait(), Backoff(chance=random.Random(2)).wait())


class KeyStoreTest(unittest.TestCase):
    def test_the_level_stays_within_the_store_and_the_values_fit_together(self) -> None:
        store = KeyStore("km-2", random.Random(7))
        for _ in range(2_000):
            store.advance(60.0)
            values = store.status()[0]["values"]
            self.assertTrue(0 <= values["stored_key_count"] <= CAPACITY_KEYS)
            self.assertTrue(0.0 <= values["key_store_fill_ratio"] <= 1.0)
            self.assertAlmostEqual(values["key_store_fill_ratio"], values["stored_key_count"] / CAPACITY_KEYS, 3)


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class OverTlsTest(unittest.IsolatedAsyncioTestCase):
    """The first connection is dropped after two reports, one of them unanswered; the second answers all."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        make(self.folder)
        self.received: list[list[int]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sequences: list[int] = []
        self.received.append(sequences)
        while line := await reader.readline():
            report = messages.decode(line)
            assert report is not None
            sequences.append(report["sequence"])
            if len(self.received) == 1 and len(sequences) == 2:
                writer.close()
                return
            reply = {
                "messageType": "statusReportResponse",
                "messageId": report["messageId"],
                "componentId": report["componentId"],
                "response": "success",
            }
            writer.write(messages.encode(reply))

    async def test_what_was_not_answered_is_sent_again_on_the_next_connection(self) -> None:
        certificate, key = self.folder / "both.pem", self.folder / "both.key"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(["qkdn/1"])
        server = await asyncio.start_server(self.serve, "localhost", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        settings = Settings("localhost", port, certificate, key, certificate, interval=0.01, count=5, window=4)
        numbering = Numbering(self.folder / "state.json", "km-1")
        agent = Agent(settings, tls_context(settings), numbering, KeyStore("km-2"), lambda _: None)
        async with server:
            await asyncio.wait_for(agent.run(), 30)
        self.assertEqual(self.received[0], [1, 2])
        self.assertEqual(self.received[1], [2, 3, 4, 5])
        self.assertEqual(numbering.unconfirmed(), [])


if __name__ == "__main__":
    unittest.main()
