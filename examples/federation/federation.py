#!/usr/bin/env python3
"""A federation of QKD managers on this machine: real managers, a simulated network for each, one command.

Every domain gets a folder with all that its manager needs: configuration, certificates, signing key, and what the operators of the
other domains would have sent it. Managers dial each other through wires: small forwarders on loopback ports that can be cut.
What runs is noted in `federation.json` by process ID and start time; nothing else is ever ended.

Python 3.11 or newer, standard library only; needs no rights. README.md beside this file shows its use.
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
STATE = "federation.json"
LOOPBACK = "127.0.0.1"
# Ports are looked for from here on; below those that systems give to outgoing connections.
FIRST_PORT = 17100
# Usual ports, for managers with a machine each.
API_PORT, MX_PORT = 7100, 7107
# How often a domain says that it is there: often enough that its silence shows while somebody watches.
REFRESH = "5s"
INTERVAL = "5s"
STARTING = 120.0
STOPPING = 20.0
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
SEEN = ("fresh", "indirect")
# What a domain tells everybody; and what one with an area tells its area and aggregators instead, who tell others in sum.
EVERYTHING = ["health", "alarms", "alarm-types", "capabilities"]
IN_ITS_AREA = {"disclose": [], "disclose_area": [*EVERYTHING, "links"], "disclose_aggregators": ["health", "alarms", "links"]}


class Trouble(Exception):
    """Something that the operator should read; ends the command with code 1."""


# --- Files -------------------------------------------------------------------------------------------------------------------


def toml(value):
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def tables(tree):
    """Tables and lists of tables, `(heading, keys)` each, as a TOML file."""
    return "\n".join(f"{heading}\n" + "".join(f"{key} = {toml(value)}\n" for key, value in keys.items()) for heading, keys in tree)


def write(path, text, mode=0o644):
    """Writes a file so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)


def read_toml(path):
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Trouble(f"{path}: {error}") from error


# --- From one topology to the networks of its domains ------------------------------------------------------------------------


def split(description, network):
    """The network of each domain, and the fibres between domains.

    On a fibre to another domain each domain has a pair of modules of its own, one of them in a gate at the other's site.
    """
    owner = {}
    for domain in description["domains"]:
        for node in domain["nodes"]:
            if node in owner:
                raise Trouble(f"`{node}` belongs to {owner[node]} and to {domain['id']}")
            owner[node] = domain["id"]
    nodes = {node["id"]: node for node in network["nodes"]}
    for unknown in sorted(owner.keys() ^ nodes.keys()):
        raise Trouble(f"`{unknown}` is " + ("in no domain" if unknown in nodes else "no node of the network"))
    networks, fibres = {}, []
    for domain in description["domains"]:
        own, links, gates = domain["id"], [], {}
        for link in network["links"]:
            ends = (link["from"], link["to"])
            sides = {owner[end] for end in ends}
            if own not in sides:
                continue
            if len(sides) == 2:
                link = {key: value for key, value in link.items() if key != "relay_point"}
                for end in (end for end in ends if owner[end] != own):
                    gates[end] = {**nodes[end], "name": f"{nodes[end].get('name', end)}, gate to {owner[end]}"}
            links.append(link)
        networks[own] = {
            "nodes": [nodes[node] for node in domain["nodes"]] + list(gates.values()),
            "links": links,
            "network": {**network["network"], "name": f"{network['network']['name']}: {own}"},
        }
    for link in network["links"]:
        near, far = link["from"], link["to"]
        if owner[near] != owner[far]:
            name = f"{near}-{far}"
            ends = {owner[here]: [f"mq/{here}-qkd-{there}", f"mk/{here}-km {name}"] for here, there in ((near, far), (far, near))}
            fibres.append({"name": name, "ends": ends})
    return networks, fibres


def write_network(path, network, source):
    head = f"# A part of {source}, which says where it is from.\n\n"
    lists = "".join(
        f"{key} = [\n" + "".join(f"    {toml(one)},\n" for one in network[key]) + "]\n\n" for key in ("nodes", "links")
    )
    rest = [("[network]", network["network"]), ("[simulation]", {"report_interval": INTERVAL})]
    write(path, head + lists + tables(rest))


def small_network(name):
    """Two sites and a fibre: the least that has something to report."""
    return {
        "nodes": [{"id": f"{name}-a", "kind": "site"}, {"id": f"{name}-b", "kind": "site"}],
        "links": [{"from": f"{name}-a", "to": f"{name}-b", "length_km": 20.0}],
        "network": {"name": name, "attenuation_db_per_km": 0.2},
    }


def cut_vertices(names, pairs):
    """Domains without which the others fall apart."""

    def is_whole(among):
        reached, todo = set(), list(among)[:1]
        while todo:
            one = todo.pop()
            reached.add(one)
            todo += [b if a == one else a for a, b in pairs if one in (a, b) and {a, b} <= among and not {a, b} <= reached]
        return reached == among

    return [name for name in sorted(names) if not is_whole(set(names) - {name})]


# --- The federation as it is noted -------------------------------------------------------------------------------------------


class Federation:
    """What `federation.json` says, and the folder around it."""

    def __init__(self, folder, state):
        self.folder = folder
        self.state = state

    @classmethod
    def open(cls, folder):
        folder = folder.resolve()
        try:
            return cls(folder, json.loads((folder / STATE).read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise Trouble(f"{folder} has no {STATE}: make a federation first, `federation.py make three {folder}`") from None

    def save(self):
        write(self.folder / STATE, json.dumps(self.state, indent=1, ensure_ascii=False) + "\n")

    @property
    def members(self):
        return [name for name, domain in self.state["domains"].items() if domain["member"]]

    @property
    def wires(self):
        """Pairs of members that are peers of each other, with the port of their wire."""
        members = set(self.members)
        return [wire for wire in self.state["wires"] if members.issuperset(wire["ends"])]

    def place(self, name):
        """Where a domain belongs, as configurations write it."""
        domain = self.state["domains"][name]
        return {key: domain[key] for key in ("area", "role") if domain.get(key)}

    def hears(self, here, there):
        """Whether one domain is told of another by itself, and not in sum."""
        near, far = self.place(here), self.place(there)
        return not far.get("area") or "aggregator" in (near.get("role"), far.get("role")) or near.get("area") == far["area"]

    def need(self, name):
        if name not in self.members:
            raise Trouble(f"there is no domain `{name}` here; there are: {', '.join(self.members)}")
        return self.state["domains"][name]

    # Configuration

    def qkdnm(self, *arguments, at=None):
        environment = dict(os.environ)
        if at is not None:
            token = (self.folder / "admin.token").read_text(encoding="utf-8").strip()
            environment |= {"QKDNM_API": f"http://{LOOPBACK}:{self.state['domains'][at]['api']}", "QKDNM_TOKEN": token}
        done = subprocess.run([self.state["binary"], *map(str, arguments)], capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            told = (done.stderr.strip() or done.stdout.strip()).replace("\n", "\n  ")
            raise Trouble(f"`qkdnm {' '.join(map(str, arguments))}` ended with {done.returncode}:\n  {told}")
        return done.stdout

    def make_folder(self, name):
        """Certificates, signing key and the configuration of the network; what is there stays."""
        folder = self.folder / name
        if not (folder / "pki/ca.pem").exists():
            self.qkdnm("pki", "init", folder / "pki", "--name", f"CA of {name}")
            self.qkdnm("pki", "issue", folder / "pki", "--reference-point", "mx", "--component-id", f"manager-{name}")
        if not (folder / "keys/signing.key").exists():
            self.qkdnm("pki", "signing-key", folder / "keys/signing.key")
        self.qkdnm(
            "simulate", folder / "network.toml", "--write-config", folder,
            "--first-port", API_PORT if self.state["hosts"] else 0,
            "--manager-id", f"manager-{name}", "--domain", name, "--force",
        )  # fmt: skip

    def exchange(self, name):
        """Puts what the operators of the others would have sent into a domain's folder."""
        for other in self.members:
            if other != name:
                peers = self.folder / name / "peers"
                peers.mkdir(exist_ok=True)
                shutil.copyfile(self.folder / other / "pki/ca.pem", peers / f"{other}-ca.pem")
                shutil.copyfile(self.folder / other / "keys/signing.pub", peers / f"{other}.pub")

    def configure(self, name):
        """Writes who takes part, as this domain has it."""
        domain, hosts = self.state["domains"][name], self.state["hosts"]
        mx = f"0.0.0.0:{MX_PORT}" if hosts else f"{LOOPBACK}:{domain['mx']}"
        tree = [
            ("[interfaces.mx]", {"listen": mx}),
            ("[api]", {"listen": f"{LOOPBACK}:{domain['api']}"}),
            ("[[api.tokens]]", {"name": "federation.py", "sha256": self.state["token_sha256"], "role": "admin"}),
        ]
        if not hosts:
            tree.append(("[plugins]", {"cache_dir": "../../plugin-cache"}))
        place = self.place(name)
        is_member = place.get("area") and place.get("role") != "aggregator"
        tree.append(
            ("[federation]", {
                "name": self.state["name"], "signing_key": "../keys/signing.key", "refresh": self.state["refresh"], **place,
                **(IN_ITS_AREA if is_member else {"disclose": EVERYTHING}),
            })
        )  # fmt: skip
        wires = {wire["ends"][wire["ends"][0] == name]: wire for wire in self.wires if name in wire["ends"]}
        for other in self.members:
            if other != name and other not in wires:
                keys = {"domain": other, **self.place(other), "signing_keys": [f"../peers/{other}.pub"]}
                tree.append(("[[federation.origins]]", keys))
        for link in self.state["links"]:
            other = next((end for end in link["ends"] if end != name), None)
            if name in link["ends"] and other in wires:
                tree.append(("[[federation.links]]", {"name": link["name"], "domain": other, "from": link["ends"][name]}))
        for other, wire in wires.items():
            keys = {
                "id": f"manager-{other}", "domain": other, **self.place(other), "trust_anchors": [f"../peers/{other}-ca.pem"],
                "signing_keys": [f"../peers/{other}.pub"],
            }  # fmt: skip
            if wire["ends"][0] == name:
                keys["address"] = f"{other}:{MX_PORT}" if hosts else f"{LOOPBACK}:{wire['port']}"
            tree.append(("[[peers]]", keys))
        head = "# Who takes part in the federation, and how peers are reached. Written by federation.py.\n\n"
        write(self.folder / name / "conf.d/50-federation.toml", head + tables(tree))

    def reconfigure(self, names):
        """Writes the files of these domains, and has those that run take them over."""
        for name in names:
            self.exchange(name)
            self.configure(name)
        for name in names:
            if self.runs(f"manager {name}"):
                told = json.loads(self.qkdnm("config", "reload", "-o", "json", at=name))
                if told["result"] not in ("applied", "unchanged"):
                    raise Trouble(f"the manager of {name} refused its new configuration: {json.dumps(told['problems'])}")

    def warn_of_cut_vertices(self):
        if weak := cut_vertices(self.members, [wire["ends"] for wire in self.wires]):
            print(f"warning: without {' or '.join(weak)} the others fall apart; let more domains be peers")

    # Processes

    def runs(self, what):
        """The ID of a process of ours, if it is still that process."""
        noted = self.state["processes"].get(what)
        return noted["pid"] if noted and born(noted["pid"]) == noted["born"] else None

    def spawn(self, what, command, log, **options):
        with open(log, "ab") as output:
            process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **options
            )  # fmt: skip
        self.state["processes"][what] = {"pid": process.pid, "born": born(process.pid)}
        self.save()
        return process

    def start(self, names):
        for wire in self.wires:
            what = "wire " + "-".join(wire["ends"])
            if not self.runs(what) and set(names) & set(wire["ends"]):
                target = self.state["domains"][wire["ends"][1]]["mx"]
                self.spawn(what, [sys.executable, HERE / "federation.py", "wire", wire["port"], target], self.folder / "wires.log")
        starting = {}
        for name in names:
            if not self.runs(f"manager {name}"):
                # What is left of its network knows the ports of the manager's last life.
                await_end([self.end(f"network {name}", signal.SIGINT)])
                folder = self.folder / name
                (folder / "ready.json").unlink(missing_ok=True)
                command = [self.state["binary"], "run", "--config", folder / "manager.toml", "--ready-file", folder / "ready.json"]
                starting[name] = self.spawn(f"manager {name}", command, folder / "manager.log", cwd=folder)
        deadline = time.monotonic() + STARTING
        for name, process in starting.items():
            folder = self.folder / name
            while not (folder / "ready.json").exists():
                if process.poll() is not None:
                    raise Trouble(f"the manager of {name} ended with {process.returncode}:\n{tail(folder / 'manager.log')}")
                if time.monotonic() > deadline:
                    raise Trouble(f"the manager of {name} is not ready after {STARTING:.0f} s:\n{tail(folder / 'manager.log')}")
                time.sleep(0.05)
        for name in names:
            if not self.runs(f"network {name}"):
                folder = self.folder / name
                command = [self.state["binary"], "simulate", folder / "network.toml", "--site", folder]
                self.spawn(f"network {name}", command, folder / "network.log", cwd=folder)

    def stop(self, names):
        """Ends what runs of these domains, and the wires that lead to no manager that runs any more."""
        whats = [f"network {name}" for name in names] + [f"manager {name}" for name in names]
        ended = [self.end(what, signal.SIGINT if what.startswith("network") else signal.SIGTERM) for what in whats]
        await_end(ended)
        idle = [
            wire for wire in self.state["wires"]
            if not all(self.state["domains"][end]["member"] for end in wire["ends"])
            or not any(self.runs(f"manager {end}") for end in wire["ends"])
        ]  # fmt: skip
        await_end([self.end("wire " + "-".join(wire["ends"]), signal.SIGTERM) for wire in idle])
        self.save()

    def end(self, what, how):
        pid = self.runs(what)
        self.state["processes"].pop(what, None)
        if what in self.state["cut"]:
            self.state["cut"].remove(what)
        if pid:
            os.kill(pid, how)
            os.kill(pid, signal.SIGCONT)
        return (what, pid, born(pid) if pid else None)

    def cut(self, group):
        """Stops the wires between these domains and all others."""
        for name in group:
            self.need(name)
        between = [wire for wire in self.wires if len(set(group) & set(wire["ends"])) == 1]
        if not between:
            raise Trouble("no wire leads from these domains to others")
        for what in ("wire " + "-".join(wire["ends"]) for wire in between):
            pid = self.runs(what)
            if not pid:
                raise Trouble(f"{what} does not run: start the federation first")
            os.kill(pid, signal.SIGSTOP)
            if what not in self.state["cut"]:
                self.state["cut"].append(what)
        return between

    def heal(self):
        healed, self.state["cut"] = self.state["cut"], []
        for what in healed:
            if pid := self.runs(what):
                os.kill(pid, signal.SIGCONT)
        return healed

    # What the managers say

    def seen(self, name):
        """How a manager sees all domains, or None if it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.state['domains'][name]['api']}/api/v1/domains", timeout=5) as answer:
                return {one["domain"]: one for one in json.load(answer)["items"]}
        except (OSError, ValueError):
            return None

    def look(self):
        """How every manager is, and how it sees the others."""
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            seen = dict(zip(self.members, pool.map(self.seen, self.members)))
        looks = []
        for name in self.members:
            manager, network = self.runs(f"manager {name}"), self.runs(f"network {name}")
            domains = (seen[name] or {}) if manager else {}
            others = {other: one for other, one in domains.items() if other != name and other in self.members}
            looks.append({
                "domain": name, "manager": manager, "network": network, "answers": bool(domains),
                "api": f"http://{LOOPBACK}:{self.state['domains'][name]['api']}",
                "components": figure(domains.get(name), "health", "components"),
                "alarms": figure(domains.get(name), "alarms", "raised"),
                "sees": {other: {"freshness": one["freshness"], "ageMs": one["ageMs"]} for other, one in others.items()},
                "rollups": [rollup for one in domains.values() for rollup in one.get("rollups", [])],
            })  # fmt: skip
        return looks

    def is_well(self, looks):
        """Whether all run and see each other, peers at first hand."""
        pairs = [wire["ends"] for wire in self.wires]
        aggregators = [name for name in self.members if self.place(name).get("role") == "aggregator"]

        def is_seen(here, there, how):
            return how == "fresh" or (how in SEEN and sorted((here, there)) not in pairs)

        return not self.state["cut"] and all(
            look["manager"] and look["network"] and len(look["sees"]) == len(self.members) - 1
            and all(is_seen(look["domain"], other, one["freshness"]) for other, one in look["sees"].items()
                    if self.hears(look["domain"], other))
            and all(any(one["aggregator"] == other for one in look["rollups"]) for other in aggregators)
            for look in looks
        )  # fmt: skip

    def wait(self, seconds):
        deadline = time.monotonic() + seconds
        while True:
            looks = self.look()
            if self.is_well(looks) or time.monotonic() > deadline:
                return looks
            time.sleep(0.2)


def figure(domain, section, of):
    """The sum of a domain's counts: of known components, or of alarms."""
    if not domain:
        return None
    contents = [one["content"] for document in domain["documents"] for one in document["sections"] if one["name"] == section]
    counts = ((contents[0] or {}).get(of) or {}).values() if contents else []
    return sum(one["known"] if isinstance(one, dict) else one for one in counts)


def born(pid):
    """When a process started, in ticks since the machine did; None if there is none, or only its remains."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def await_end(ended):
    deadline = time.monotonic() + STOPPING
    for what, pid, begun in ended:
        while pid and born(pid) == begun is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > deadline:
                print(f"warning: {what} ({pid}) did not end within {STOPPING:.0f} s and is killed", file=sys.stderr)
                os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.02)


def tail(path):
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return str(error)
    return "\n".join(f"  {line}" for line in lines[-12:])


def free_ports(first):
    """Loopback ports that nobody listens on, from one on."""
    for port in range(first, 65536):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        yield port
    raise Trouble(f"no free port from {first} on")


# --- Verbs -------------------------------------------------------------------------------------------------------------------


def find_binary(given):
    for candidate in filter(None, [given, os.environ.get("QKDNM_BIN"), shutil.which("qkdnm")]):
        if os.access(candidate, os.X_OK):
            return str(pathlib.Path(candidate).resolve())
    for build in ("release", "debug"):
        if os.access(HERE.parents[1] / f"target/{build}/qkdnm", os.X_OK):
            return str(HERE.parents[1] / f"target/{build}/qkdnm")
    raise Trouble("there is no qkdnm in PATH: build it (`cargo build --release`), or name it with --binary")


def make(options):
    folder = options.folder.resolve()
    if (folder / STATE).exists():
        raise Trouble(f"{folder} has a federation already: `start` it, or name another folder")
    source = HERE / f"{options.what}.toml" if options.what in ("three", "ten", "national") else pathlib.Path(options.what)
    description = read_toml(source)
    path = (source.parent / description["network"]).resolve()
    networks, links = split(description, read_toml(path))
    names = list(networks)
    pairs = {tuple(sorted(link["ends"])) for link in links} | {tuple(sorted(pair)) for pair in description.get("peers", [])}
    for name in itertools.chain(names, *pairs):
        if not NAME.fullmatch(name) or name not in names:
            raise Trouble(f"{source}: `{name}` is the name of no domain")
    token = "qkdnm-" + secrets.token_urlsafe(24)
    hosts, ports = options.hosts, free_ports(options.first_port)
    state = {
        "name": description["name"], "binary": find_binary(options.binary), "hosts": hosts, "refresh": options.refresh,
        "first_port": options.first_port, "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
        "domains": {domain["id"]: {"member": True, "area": domain.get("area"), "role": domain.get("role"),
                                   "api": API_PORT if hosts else next(ports), "mx": MX_PORT if hosts else next(ports)}
                    for domain in description["domains"]},
        "wires": [{"ends": list(pair), "port": 0 if hosts else next(ports)} for pair in sorted(pairs)],
        "links": links, "processes": {}, "cut": [],
    }  # fmt: skip
    federation = Federation(folder, state)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "admin.token", token + "\n", 0o600)
    for name, network in networks.items():
        write_network(folder / name / "network.toml", network, path.name)
        federation.make_folder(name)
    federation.reconfigure(names)
    if hosts:
        # Where they are started by others, what is wrong is better known before.
        for name in names:
            federation.qkdnm("check", folder / name / "manager.toml")
    federation.save()
    print(f"{len(names)} domains in {folder}: {', '.join(names)}; {len(pairs)} pairs of peers")
    federation.warn_of_cut_vertices()
    return 0


def started(federation, options):
    looks = federation.wait(options.wait) if options.wait else federation.look()
    show(federation, looks)
    return 0 if not options.wait or federation.is_well(looks) else 1


def start(federation, options):
    if federation.state["hosts"]:
        raise Trouble("this federation was made with --hosts: its managers run where you put them")
    for name in options.domains:
        federation.need(name)
    federation.start(options.domains or federation.members)
    return started(federation, options)


def stop(federation, options):
    for name in options.domains:
        federation.need(name)
    names = options.domains or list(federation.state["domains"])
    federation.stop(names)
    if not options.domains:
        print("All that was started has ended. The folders stay.")
    return 0


def status(federation, options):
    looks = federation.wait(options.wait)
    if options.json:
        print(json.dumps({"well": federation.is_well(looks), "cut": federation.state["cut"], "managers": looks}, indent=1))
    else:
        show(federation, looks)
    return 0 if federation.is_well(looks) else 1


def show(federation, looks):
    rows = [("DOMAIN", "MANAGER", "NETWORK", "API", "COMPONENTS", "ALARMS", "SEES THE OTHERS")]
    for look in looks:
        groups = {}
        for other, one in look["sees"].items():
            if not federation.hears(look["domain"], other) and one["freshness"] in (*SEEN, "withdrawn", "unheard"):
                groups.setdefault("in sum", []).append((other, one["ageMs"]))
                continue
            groups.setdefault(one["freshness"], []).append((other, one["ageMs"]))
        told = [f"{len(groups[how])} {how}" for how in (*SEEN, "in sum") if how in groups]
        told += [f"{other} {how}" + (f" ({age / 1000:.0f} s)" if how in ("stale", "unreachable") else "")
                 for how, group in groups.items() if how not in (*SEEN, "in sum") for other, age in group]  # fmt: skip
        answer = "does not answer" if look["manager"] and not look["answers"] else ""
        pids = [str(look[what] or "not running") for what in ("manager", "network")]
        figures = ["" if look[what] is None else str(look[what]) for what in ("components", "alarms")]
        rows.append((look["domain"], *pids, look["api"], *figures, ", ".join(told) or answer))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0])).rstrip())
    show_rollups(looks)
    if federation.state["cut"]:
        print("cut: " + ", ".join(what.removeprefix("wire ") for what in federation.state["cut"]) + "; `heal` mends them")


def show_rollups(looks):
    """Areas in sum, each as the first manager sees it that does."""
    rows = {}
    for one in (one for look in looks for one in look["rollups"]):
        components = sum(counts.get("known", 0) for counts in one["components"].values())
        figures = (str(components), str(sum(one["raised"].values()))) if components else ("-", "-")
        row = (one["area"], one["aggregator"], *figures, one["sumOf"])
        rows.setdefault((one["area"], one["aggregator"]), row)
    if not rows:
        return
    rows = [("AREA", "ADDED UP BY", "COMPONENTS", "ALARMS", "SUM OF"), *(rows[key] for key in sorted(rows))]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0])).rstrip())


def add(federation, options):
    name, state = options.domain, federation.state
    if name in federation.members:
        raise Trouble(f"{name} takes part already")
    if not NAME.fullmatch(name):
        raise Trouble(f"`{name}` cannot be the name of a domain: small letters, digits and dashes, 32 at most")
    for other in options.peers or []:
        federation.need(other)
    ports = free_ports(max([state["first_port"], *(domain["mx"] + 1 for domain in state["domains"].values()),
                            *(wire["port"] + 1 for wire in state["wires"])]))  # fmt: skip
    if name not in state["domains"]:
        if not options.peers:
            raise Trouble("with which domains is it to be a peer? --peers A B")
        path = federation.folder / name / "network.toml"
        path.parent.mkdir(exist_ok=True)
        if options.network:
            shutil.copyfile(options.network, path)
        else:
            write_network(path, small_network(name), "nothing that exists")
        state["domains"][name] = {"member": False, "area": options.area, "role": None, "api": next(ports), "mx": next(ports)}
    elif options.network:
        raise Trouble(f"{name} was here before and keeps its network; its folder is {federation.folder / name}")
    for other in options.peers or []:
        pair = sorted((name, other))
        if pair not in [wire["ends"] for wire in state["wires"]]:
            state["wires"].append({"ends": pair, "port": next(ports)})
    federation.make_folder(name)
    state["domains"][name]["member"] = True
    federation.reconfigure([name, *(other for other in federation.members if other != name)])
    federation.save()
    federation.warn_of_cut_vertices()
    if any(federation.runs(f"manager {other}") for other in federation.members):
        federation.start([name])
    return started(federation, options)


def remove(federation, options):
    name = options.domain
    federation.need(name)
    # It says goodbye before others turn it away: they would take its dials for somebody else's.
    federation.stop([name])
    federation.state["domains"][name]["member"] = False
    federation.reconfigure(federation.members)
    federation.stop([name])
    federation.warn_of_cut_vertices()
    print(f"{name} takes part no more; its folder stays, and `add {name}` brings it back")
    return 0


def partition(federation, options):
    between = federation.cut(options.domains)
    print("cut: " + ", ".join("-".join(wire["ends"]) for wire in between) + "; nothing is refused there, nothing arrives")
    return 0


def heal(federation, options):
    healed = federation.heal()
    print("mended: " + ", ".join(what.removeprefix("wire ") for what in healed) if healed else "nothing was cut")
    return started(federation, options) if options.wait else 0


async def wire(listen, target):
    """Passes bytes on between whoever connects and a manager, until it is ended. It knows nothing of what they mean."""

    async def pass_on(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def joined(near_in, near_out):
        try:
            far_in, far_out = await asyncio.open_connection(LOOPBACK, target)
        except OSError:
            near_out.close()
            return
        ways = [asyncio.ensure_future(pass_on(near_in, far_out)), asyncio.ensure_future(pass_on(far_in, near_out))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way, out in zip(ways, (far_out, near_out)):
            way.cancel()
            out.close()
        await asyncio.gather(*ways, return_exceptions=True)

    server = await asyncio.start_server(joined, LOOPBACK, listen)
    await server.serve_forever()


def arguments():
    parser = argparse.ArgumentParser(prog="federation.py", description=__doc__.partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, does, text):
        one = verbs.add_parser(name, help=text, description=text)
        one.set_defaults(does=does)
        one.add_argument("folder", type=pathlib.Path, help="folder of the federation")
        return one

    one = verbs.add_parser("make", help="make the folders of all domains, with keys and configurations")
    one.set_defaults(does=None)
    one.add_argument("what", help="`three`, `ten`, `national`, or a file like three.toml")
    one.add_argument("folder", type=pathlib.Path, help="folder of the federation, made if it is not there")
    one.add_argument("--binary", help="the program qkdnm; else QKDNM_BIN, PATH, and this repository's builds are looked at")
    one.add_argument("--first-port", type=int, default=FIRST_PORT, help="free ports are looked for from here on (%(default)s)")
    one.add_argument("--refresh", default=REFRESH, help="how often a domain says that it is there (%(default)s); silence of three times that is stale")
    one.add_argument("--hosts", action="store_true", help="for a machine or container each: peers are reached at DOMAIN:7107")
    wait = {"type": float, "metavar": "SECONDS", "default": 0.0, "help": "wait until everybody sees everybody, at most so long"}
    one = verb("start", start, "start managers, networks and wires: all that do not run, or these domains'")
    one.add_argument("domains", nargs="*", metavar="DOMAIN")
    one.add_argument("--wait", **wait)
    one = verb("status", status, "show what runs and how managers see each other; exit code 1 unless all is well")
    one.add_argument("--json", action="store_true", help="for programs")
    one.add_argument("--wait", **wait)
    one = verb("add", add, "add a domain while the others run: their files change, and they take them over")
    one.add_argument("domain")
    one.add_argument("--peers", nargs="+", metavar="DOMAIN", help="with whom it exchanges status directly")
    one.add_argument("--area", help="the area that it belongs to, where the federation has areas")
    one.add_argument("--network", type=pathlib.Path, help="its network (examples/networks); otherwise two sites and a fibre")
    one.add_argument("--wait", **wait)
    verb("remove", remove, "remove a domain while the others run").add_argument("domain")
    verb("partition", partition, "cut these domains off from all others").add_argument("domains", nargs="+", metavar="DOMAIN")
    verb("heal", heal, "mend all that was cut").add_argument("--wait", **wait)
    one = verb("stop", stop, "end what was started: everything, or these domains")
    one.add_argument("domains", nargs="*", metavar="DOMAIN")
    one = verbs.add_parser("wire")
    one.add_argument("listen", type=int)
    one.add_argument("target", type=int)
    return parser.parse_args()


def main():
    options = arguments()
    if options.verb == "wire":
        asyncio.run(wire(options.listen, options.target))
        return 0
    try:
        if options.verb == "make":
            return make(options)
        federation = Federation.open(options.folder)
        # Two commands at once would tread on each other's notes.
        with open(federation.folder / ".lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            federation = Federation.open(options.folder)
            try:
                return options.does(federation, options)
            finally:
                federation.save()
    except Trouble as trouble:
        print(f"error: {trouble}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
