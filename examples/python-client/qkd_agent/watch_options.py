"""Command line of ``qkd_agent watch``, and the subscription that it asks for."""

from __future__ import annotations

import argparse
from pathlib import Path

from .messages import ExtensionObject
from .triggers import ON_EVENT, ONE_TIME, PERIODIC

METHODS = {"on-change": ON_EVENT, "periodic": PERIODIC, "one-time": ONE_TIME}
DIRECTIONS = {"ascending": "ASCENDING", "descending": "DESCENDING", "crossed": "CROSSED"}


def threshold(text: str) -> dict[str, object]:
    """``NAME:LEVEL[:DIRECTION[:HYSTERESIS]]``."""
    parts = text.split(":")
    try:
        if not 2 <= len(parts) <= 4 or not parts[0]:
            raise ValueError
        direction = DIRECTIONS[parts[2]] if len(parts) > 2 else "CROSSED"
        hysteresis = float(parts[3]) if len(parts) > 3 else 0.0
        return {"name": parts[0], "level": float(parts[1]), "matchingDir": direction, "hysteresis": hysteresis}
    except (ValueError, KeyError) as error:
        example = "key_store_fill_ratio:0.2:descending:0.05"
        raise argparse.ArgumentTypeError(f"expected NAME:LEVEL[:DIRECTION[:HYSTERESIS]] such as {example}") from error


def parser(host_and_port: object) -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="qkd_agent watch", description="Subscribes at a QKDN manager as a user network manager and shows what comes."
    )
    options.add_argument("--manager", type=host_and_port, required=True, metavar="HOST:PORT", help="its Mu interface")
    options.add_argument("--cert", type=Path, required=True, help="this user network manager's certificate, PEM")
    options.add_argument("--key", type=Path, required=True, help="its key, PEM")
    options.add_argument("--ca", type=Path, required=True, help="the authority that vouches for the manager, PEM")
    options.add_argument("--component-id", required=True, help="as in the certificate: urn:qkdn:mu:COMPONENT-ID")
    options.add_argument("--state", type=Path, required=True, metavar="FILE", help="its memory; made if absent")
    options.add_argument("--component", action="append", default=[], metavar="POINT/ID", help="of whom; may be repeated")
    options.add_argument("--type", action="append", default=[], help="of objects, such as performance; may be repeated")
    options.add_argument("--name", action="append", default=[], help="of a value; may be repeated")
    options.add_argument("--resource", action="append", default=[], help="part of a component; may be repeated")
    options.add_argument("--method", choices=sorted(METHODS), default="on-change", help="when to be told (on-change)")
    options.add_argument("--period", type=float, metavar="SECONDS", help="of --method periodic")
    options.add_argument("--threshold", type=threshold, action="append", default=[], metavar="NAME:LEVEL[:DIR[:HYST]]")
    options.add_argument("--dampening", type=float, metavar="SECONDS", help="least time between two notifications")
    options.add_argument("--no-immediate", action="store_true", help="nothing before the first change")
    options.add_argument("--durable", action="store_true", help="the subscription outlives its connection")
    options.add_argument("--count", type=int, default=0, metavar="N", help="end after N notifications; 0: never (0)")
    return options


def wish(arguments: argparse.Namespace) -> ExtensionObject:
    """The subscription that the options ask for, without its type and ID."""
    lists = {
        "types": arguments.type,
        "names": arguments.name,
        "resources": arguments.resource,
        "components": arguments.component,
    }
    asked: ExtensionObject = {
        "events": [{key: items for key, items in lists.items() if items}],
        "notificationMethod": METHODS[arguments.method],
        "immediateReport": not arguments.no_immediate,
        "durable": arguments.durable,
        "correlationId": f"watch-{arguments.component_id}"[:64],
    }
    if arguments.period is not None:
        asked["repetitionPeriodMs"] = max(round(arguments.period * 1000), 1)
    if arguments.dampening is not None:
        asked["dampeningPeriodMs"] = max(round(arguments.dampening * 1000), 0)
    if arguments.threshold:
        asked["thresholds"] = arguments.threshold
    return asked
