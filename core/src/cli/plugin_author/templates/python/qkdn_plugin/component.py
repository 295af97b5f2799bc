"""From the arrays and symbols of the contract to the classes of `qkdn_plugin`, and back.

As a component, a plugin has no clock, no randomness, no files and no network: whoever asks for them ends the call. What is
printed goes to the plugin's log, and so does the traceback of an exception, before the call fails.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace as Record

try:  # Inside a component, or while one is made.
    from componentize_py_types import Err
    from wit_world.imports import host
except ImportError:
    Err, host = None, None

LOG_LINE_BYTES = 1900


def log(message: str, level: str = "info") -> None:
    """A line in the plugin's log: `error`, `warn`, `info` or `debug`."""
    if host is None:
        sys.__stderr__.write(f"{level}: {message}\n")
    else:
        host.log(level, message)


class _Printed:
    """What is printed, as lines of the log."""

    def __init__(self, level):
        self.level, self.rest = level, ""

    def write(self, text):
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            log(line, self.level)
        return len(text)

    def flush(self):
        if self.rest:
            log(self.rest, self.level)
            self.rest = ""


_source: dict[str, list[str]] = {}


def _read_source():
    """The plugin's own source, for tracebacks: when a call fails there are no files to read it from."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and file.endswith(".py") and file not in _source and "/python" not in file:
            try:
                with open(file, encoding="utf-8") as text:
                    _source[file] = text.read().split("\n")
            except OSError:
                pass


def _traceback(error: BaseException) -> str:
    lines = []
    if error.__cause__ is not None:
        lines += [_traceback(error.__cause__), "which led to:"]
    step = error.__traceback__
    while step is not None:
        code, number = step.tb_frame.f_code, step.tb_lineno
        file = code.co_filename
        if "qkdn_plugin/component.py" not in file:
            lines.append(f'  File "{file.rsplit("/", 1)[-1]}", line {number}, in {code.co_qualname}')
            source = _source.get(file, [])
            if number <= len(source):
                lines.append(f"    {source[number - 1].strip()}")
        step = step.tb_next
    lines.append(f"{type(error).__name__}: {error}")
    text = "\n".join(lines)
    return text if len(text) <= LOG_LINE_BYTES else "...\n" + text[-LOG_LINE_BYTES:]


def _told(function):
    """An entry point: what goes wrong in it is in the log before the call ends."""

    def entry(self, *arguments):
        if host is not None:
            sys.stdout, sys.stderr = _Printed("info"), _Printed("warn")
            sys.excepthook = lambda *_: None
        try:
            return function(self, *arguments)
        except Exception as error:
            if Err is not None and isinstance(error, Err):
                raise
            if host is None:
                raise
            log(_traceback(error), "error")
            raise SystemExit(1) from None
        finally:
            if host is not None:
                sys.stdout.flush()
                sys.stderr.flush()

    return entry


def _describe(kind):
    return Record(name=kind.name, version=kind.version, summary=kind.summary, config_schema=kind.schema, extra=[])


def _made(kind, *arguments):
    """The plugin with its configuration, or its problems as the contract has them."""
    from . import Problems

    try:
        return kind(*arguments)
    except Problems as problems:
        told = [Record(path=one.path, message=one.message) for one in problems.problems]
        if Err is None:
            raise
        raise Err(told) from None


class _Named:
    """Symbols and the names that were asked for."""

    def __init__(self, names, symbols):
        self.names = dict(zip(symbols, names))
        self.symbols = dict(zip(names, symbols))

    def name(self, symbol, none=None):
        return none if symbol == 0 else self.names.get(symbol)


def policy(kind):
    """What componentize-py takes for the interface `policy`; the module has to call it `Policy`."""
    kept = Record()

    class Policy:
        @_told
        def describe(self):
            return _describe(kind)

        @_told
        def configure(self, config):
            kept.own = _made(kind, json.loads(config))
            kept.needs = kept.own.needs()
            return kept.needs

        @_told
        def bind(self, symbols):
            needs = kept.needs
            kept.names = _Named(needs.names, symbols.names)
            kept.words = _Named(needs.words, symbols.words)
            kept.components = _Named(needs.components, symbols.components)
            kept.resources = _Named(needs.resources, symbols.resources)

        @_told
        def evaluate(self, seen):
            subjects = _subjects(kept, seen)
            objects, shown = seen.objects, 0
            for place in range(len(seen.names) + 1):
                while shown < len(objects) and objects[shown].samples_before <= place:
                    one = objects[shown]
                    shown += 1
                    _own(subjects, one.subject, kept.own.received, one.kind, json.loads(one.text))
                if place < len(seen.names):
                    sample = _sample(kept, seen.names[place], seen.values[place], seen.sample_resources[place])
                    _own(subjects, seen.subject[place], kept.own.observe, sample)
            return _outcome(subjects)

        @_told
        def on_time(self, due):
            subjects = _subjects(kept, due)
            for place in range(len(subjects)):
                _own(subjects, place, kept.own.on_time)
            return _outcome(subjects)

    _read_source()
    return Policy


def _sample(kept, name, value, resource):
    from . import Sample

    word = kept.words.names.get(int(value)) if kept.words.names and value >= 1 else None
    return Sample(kept.names.name(name), value, word, kept.resources.name(resource, ""))


class _Subjects(list):
    """The subjects of a call, and how many verdicts there are about all of them."""

    told = 0


def _subjects(kept, seen):
    from . import Subject

    width = len(seen.state) // max(len(seen.components), 1)
    return _Subjects(
        Subject(seen.now, kept.components.name(component), kept.resources.name(resource, ""),
                list(seen.state[place * width:(place + 1) * width]))
        for place, (component, resource) in enumerate(zip(seen.components, seen.resources))
    )


def _own(subjects, place, function, *arguments):
    """A call for one subject; its verdicts keep their order among those of all."""
    subject = subjects[place]
    before = len(subject.verdicts)
    function(subject, *arguments)
    for index in range(before, len(subject.verdicts)):
        kind, verdict = subject.verdicts[index]
        subject.verdicts[index] = (kind, {"subject": place, "step": subjects.told, **verdict})
        subjects.told += 1


def _outcome(subjects):
    def all_of(kind, step=True):
        told = [verdict for subject in subjects for what, verdict in subject.verdicts if what == kind]
        told.sort(key=lambda verdict: verdict["step"])
        return [Record(**{key: value for key, value in one.items() if step or key != "step"}) for one in told]

    state = [value for subject in subjects for value in subject.state]
    return Record(state=state, raised=all_of("raise"), cleared=all_of("clear"), timers=all_of("timer", False),
                  requests=all_of("request", False))


def handler(kind):
    """What componentize-py takes for the interface `handler`; the module has to call it `Handler`."""
    kept = Record()

    class Handler:
        @_told
        def describe(self):
            return _describe(kind)

        @_told
        def configure(self, reference_point, config):
            kept.own = _made(kind, reference_point, json.loads(config))
            kept.needs = kept.own.needs()
            return kept.needs

        @_told
        def bind(self, names):
            kept.names = _Named(kept.needs.names, names)

        @_told
        def handle(self, batch):
            answer = Record(refusals=[], alarms=[], samples=[])
            objects, faults = _by_report(batch.objects), _by_report(batch.faults)
            for index in range(len(batch.components)):
                report = _report(kept, batch, index, objects.get(index, ()), faults.get(index, ()))
                kept.own.handle(report)
                _answer(kept, index, report, answer)
            return answer

    _read_source()
    return Handler


def _by_report(all_of):
    found = {}
    for one in all_of:
        found.setdefault(one.report, []).append(one)
    return found


def _report(kept, batch, index, objects, faults):
    from . import Report, Sample

    names, samples = kept.names, []
    for place in range(batch.offsets[index], batch.offsets[index + 1]):
        value = batch.values[place]
        word = names.name(int(value)) if batch.flags[place] & 0xFF == 1 else None
        samples.append(Sample(names.name(batch.names[place]), value, word, "" if batch.resources[place] == 0 else None))
    return Report(
        extension=json.loads(batch.raw[index]) if kept.needs.raw else [],
        samples=samples,
        objects=[(one.index, one.kind, json.loads(one.text)) for one in objects],
        faults=[(one.path, one.message) for one in faults],
    )


def _answer(kept, index, report, answer):
    """Of a report that is refused nothing is kept."""
    if report.refusal is not None:
        answer.refusals.append(Record(report=index, reason=report.refusal))
        return
    answer.alarms += [Record(report=index, **alarm) for alarm in report.alarms]
    for name, value, resource in report.added:
        if isinstance(value, bool):
            number, form = float(value), 2
        elif isinstance(value, str):
            number, form = float(kept.names.symbols[value]), 1
        else:
            number, form = float(value), 0
        answer.samples.append(
            Record(report=index, name=kept.names.symbols[name], resource=resource, value=number, kind=form))
