"""What a plugin of the QKDN manager is in Python: names instead of symbols, and one sample or report at a time.

A plugin is a class, derived from `Policy` or `Handler`, and a line that makes a component of it:

    Policy = qkdn_plugin.policy(RelayWatch)

The contract itself, with when each function is called and what it may answer, is in `wit/`. Nothing here needs componentize-py:
under a plain Python the same class runs with the manager played by `qkdn_plugin.testing`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .component import handler, log, policy

__all__ = [
    "Handler", "HandlerNeeds", "Needs", "Policy", "Problem", "Problems", "Report", "Sample", "Subject", "handler", "log", "policy",
]


@dataclass
class Problem:
    """Something wrong with the configuration: a JSON Pointer into it, and what is wrong and was expected."""

    path: str
    message: str


class Problems(Exception):
    """Raised by `__init__` of a plugin: everything that is wrong with the configuration, at once."""

    def __init__(self, *problems: Problem):
        super().__init__("; ".join(f"{one.path}: {one.message}" for one in problems))
        self.problems = list(problems)


@dataclass
class Needs:
    """What a policy wants to be given."""

    names: list[str] = field(default_factory=list)
    """Value names it watches, from the catalogue."""
    words: list[str] = field(default_factory=list)
    """Words of the catalogue it wants to recognise in values."""
    components: list[str] = field(default_factory=list)
    """Components named in its configuration (`mk/km-1`)."""
    resources: list[str] = field(default_factory=list)
    """Resources named in its configuration."""
    state_width: int = 0
    """Numbers of state for each subject, at most 64."""
    per_component: bool = False
    """One subject a component, whatever the resource."""
    objects: list[str] = field(default_factory=list)
    """Types of extension objects it wants: `inventory`, `topology`, `alarm`, `usage`, `event`."""
    object_resource: str = ""
    """The member of these objects that names the resource of their subject; empty: `resource`."""


@dataclass
class HandlerNeeds:
    """What a handler wants to be given."""

    names: list[str] = field(default_factory=list)
    """Names and words of the catalogue that it adds or wants to recognise."""
    raw: bool = False
    """Whether `Report.extension` is there."""
    objects: list[str] = field(default_factory=list)
    """Types of extension objects for `Report.objects`: `inventory`, `topology`, `alarm`, `usage`, `event`."""


@dataclass
class Sample:
    """A value that was reported."""

    name: str | None
    """Its name, if `needs` has it."""
    value: float
    """A number; 0 or 1 for a boolean; for a word a number that means nothing: see `word`."""
    word: str | None = None
    """The word, if `needs` has it."""
    resource: str | None = ""
    """Its resource: empty is the component itself, `None` one that `needs` does not name."""


@dataclass
class Subject:
    """A component together with one of its resources: what is known of it, and what is to be said."""

    now: int
    """The manager's time: milliseconds since 1970-01-01 UTC."""
    component: str | None
    """The component, if `needs` names it."""
    resource: str | None
    """Its resource: empty is the component itself, `None` one that `needs` does not name."""
    state: list[float]
    """`state_width` numbers that the manager keeps, at first zero. Change them in place."""
    verdicts: list = field(default_factory=list)

    def raise_alarm(self, alarm_type: str, severity: str, text: str, *, qualifier: str = "", event_type: str = "",
                    probable_cause: str = "", observed: float | None = None, threshold: float | None = None,
                    repair_actions: list[str] | tuple[str, ...] = (), evidence: dict[str, str] | None = None) -> None:
        """Raises an alarm, or changes it if it is raised already. `severity`: warning, minor, major, critical, indeterminate."""
        self.verdicts.append(("raise", {
            "alarm_type": alarm_type, "severity": severity, "text": text, "qualifier": qualifier, "event_type": event_type,
            "probable_cause": probable_cause, "observed": observed, "threshold": threshold,
            "repair_actions": list(repair_actions), "evidence": list((evidence or {}).items())}))

    def clear(self, alarm_type: str, text: str, *, qualifier: str = "") -> None:
        """Clears an alarm; `text` says why it is over. What is not raised stays so."""
        self.verdicts.append(("clear", {"alarm_type": alarm_type, "qualifier": qualifier, "text": text}))

    def call_at(self, at: int) -> None:
        """Asks for `on_time` at a time, in milliseconds since 1970-01-01 UTC. A subject has one timer; 0 takes it back."""
        self.verdicts.append(("timer", {"at": at}))

    def request(self, *names: str) -> None:
        """Requests a status report of the component: these values, or everything."""
        self.verdicts.append(("request", {"names": list(names)}))


class Policy:
    """Watches what accepted reports say. What has to be remembered goes into `Subject.state`, never into `self`."""

    name = "policy"
    version = "0.1.0"
    summary = ""
    schema = '{"type": "object"}'
    """JSON Schema of the configuration, as text."""

    def __init__(self, config: dict):
        """Takes the configuration; raises `Problems`."""

    def needs(self) -> Needs:
        """What it wants to be given."""
        return Needs()

    def observe(self, subject: Subject, sample: Sample) -> None:
        """A sample, in the order in which samples were accepted."""

    def received(self, subject: Subject, kind: str, value: dict) -> None:
        """An extension object of a type in `Needs.objects`, in its place among the samples."""

    def on_time(self, subject: Subject) -> None:
        """The timer of a subject is due."""


@dataclass
class Report:
    """A status report that a handler says yes or no to."""

    extension: list
    """Its extension, with `HandlerNeeds.raw`; else empty."""
    samples: list[Sample]
    """Its values, as far as they have their normal form."""
    objects: list[tuple[int, str, dict]]
    """Position in the extension, type, and object, of the types asked for."""
    faults: list[tuple[str, str]]
    """What is wrong with it already: where, and what. Usually nothing."""
    refusal: str | None = None
    added: list = field(default_factory=list)
    alarms: list = field(default_factory=list)

    def refuse(self, reason: str) -> None:
        """Does not accept it; the first reason is answered. For who reads the component's log: names object and key."""
        self.refusal = self.refusal or reason

    def add(self, name: str, value: float | bool | str, resource: str = "") -> None:
        """Adds a value in normal form: a number, a boolean, or a word of the catalogue. `needs` has to name name and word."""
        self.added.append((name, value, resource))

    def alarm(self, alarm_type: str, severity: str, text: str, *, resource: str = "", qualifier: str = "",
              event_type: str = "", probable_cause: str = "") -> None:
        """An alarm that the component raised itself, or with the severity `cleared` took back."""
        self.alarms.append({
            "alarm_type": alarm_type, "severity": severity, "text": text, "resource": resource, "qualifier": qualifier,
            "event_type": event_type, "probable_cause": probable_cause})


class Handler:
    """Understands what the components of a reference point send. Nothing is remembered from report to report."""

    name = "handler"
    version = "0.1.0"
    summary = ""
    schema = '{"type": "object"}'
    """JSON Schema of the configuration, as text."""

    def __init__(self, reference_point: str, config: dict):
        """Takes the reference point (`mq`) and the configuration; raises `Problems`."""

    def needs(self) -> HandlerNeeds:
        """What it wants to be given."""
        return HandlerNeeds()

    def handle(self, report: Report) -> None:
        """Says no to a report with `refuse`, and what it means with `add` and `alarm`."""
