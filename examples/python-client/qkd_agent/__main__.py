"""Command line of the agent."""

from __future__ import annotations

import argparse
import asyncio
import signal
import ssl
import sys
from collections.abc import Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

from . import tls, watch_options
from .agent import Agent, Settings, tls_context
from .key_store import KeyStore
from .numbering import Numbering, StateFileError
from .watcher import Place, Watcher
from .watching import Memory, Refused, Watching


def host_and_port(text: str) -> tuple[str, int]:
    """``HOST:PORT``, an IPv6 address in brackets."""
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"expected HOST:PORT such as localhost:7104, found {text!r}")
    return host.strip("[]"), int(port)


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(prog="qkd_agent", description="Reports to a QKDN manager as a key manager (KM).")
    options.add_argument("--manager", type=host_and_port, required=True, metavar="HOST:PORT", help="its Mk interface")
    options.add_argument("--cert", type=Path, required=True, help="this component's certificate, PEM")
    options.add_argument("--key", type=Path, required=True, help="its key, PEM")
    options.add_argument("--ca", type=Path, required=True, help="the authority that vouches for the manager, PEM")
    options.add_argument("--component-id", required=True, help="as in the certificate: urn:qkdn:mk:COMPONENT-ID")
    options.add_argument("--state", type=Path, required=True, metavar="FILE", help="the agent's memory; made if absent")
    options.add_argument("--interval", type=float, default=10.0, metavar="SECONDS", help="between reports (10)")
    options.add_argument("--count", type=int, default=0, metavar="N", help="end after N reports; 0: never (0)")
    options.add_argument("--window", type=int, default=64, metavar="N", help="reports in flight, at most 256 (64)")
    options.add_argument("--no-subscriptions", action="store_true", help="answer subscribe with unsupported")
    options.add_argument("--peer", default="km-peer", metavar="ID", help="resource that the reports speak of (km-peer)")
    return options


def tell(text: str) -> None:
    """Prints what happens."""
    print(f"{datetime.now():%H:%M:%S} {text}", flush=True)


async def run(work: Coroutine[Any, Any, None]) -> None:
    """Does the work until it is done or told to stop."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    await task


def watch(words: list[str]) -> int:
    """``qkd_agent watch``: exit code as :func:`main`."""
    arguments = watch_options.parser(host_and_port).parse_args(words)
    host, port = arguments.manager
    try:
        memory = Memory(arguments.state, arguments.component_id)
        context = tls.context(arguments.cert, arguments.key, arguments.ca)
    except (StateFileError, ssl.SSLError, OSError) as error:
        print(f"qkd_agent: {error}", file=sys.stderr)
        return 1
    watching = Watching(memory, watch_options.wish(arguments), tell)
    watcher = Watcher(Place(host, port, max(arguments.count, 0)), context, watching, tell)
    try:
        asyncio.run(run(watcher.run()))
    except Refused as error:
        print(f"qkd_agent: not subscribed: {error}", file=sys.stderr)
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        tell(f"stopped after {watching.received} notifications, {watching.missing} missing")
        return 130
    tell(f"done: {watching.received} notifications, {watching.missing} missing")
    return 0


def main() -> int:
    """Exit code: 0 done, 1 cannot go on, 2 wrong options, 130 stopped by a signal."""
    if sys.argv[1:2] == ["watch"]:
        return watch(sys.argv[2:])
    arguments = parser().parse_args()
    host, port = arguments.manager
    settings = Settings(
        host=host,
        port=port,
        certificate=arguments.cert,
        key=arguments.key,
        anchors=arguments.ca,
        interval=max(arguments.interval, 0.001),
        count=max(arguments.count, 0),
        window=min(max(arguments.window, 1), 256),
        serves_subscriptions=not arguments.no_subscriptions,
    )
    try:
        numbering = Numbering(arguments.state, arguments.component_id)
        context = tls_context(settings)
    except (StateFileError, ssl.SSLError, OSError) as error:
        print(f"qkd_agent: {error}", file=sys.stderr)
        return 1
    try:
        agent = Agent(settings, context, numbering, KeyStore(arguments.peer), tell)
        asyncio.run(run(agent.run()))
    except OSError as error:
        print(f"qkd_agent: {arguments.state} cannot be written: {error}", file=sys.stderr)
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        tell(f"stopped; {len(numbering.unconfirmed())} reports wait for the next start")
        return 130
    tell(f"done: report {numbering.last} was the last, all are settled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
