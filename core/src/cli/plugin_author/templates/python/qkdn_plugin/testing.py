"""The manager played for unit tests: a plain Python runs the plugin, by the same code that a component has."""

from __future__ import annotations

import json
from types import SimpleNamespace as Record

from .component import handler, policy


class _Symbols:
    """Numbers for names, as the manager gives them."""

    def __init__(self):
        self.known = {"": 0}

    def of(self, name):
        return self.known.setdefault(name, len(self.known))

    def all(self, names):
        return [self.of(name) for name in names]


class PolicyHost:
    """A manager with one policy. `Problems` of the configuration are raised."""

    def __init__(self, kind, config: dict, now: int = 1_767_225_600_000):
        self.now = now
        self.symbols = _Symbols()
        self.state = {}
        self.timers = {}
        self.alarms = {}
        """What is raised, by component, resource, alarm type and qualifier."""
        self.policy = policy(kind)()
        self.needs = self.policy.configure(json.dumps(config))
        told = (self.needs.names, self.needs.words, self.needs.components, self.needs.resources)
        names, words, components, resources = (self.symbols.all(some) for some in told)
        self.policy.bind(Record(names=names, words=words, components=components, resources=resources))

    def send(self, component: str, resource: str, values: dict, objects: list[dict] = ()):
        """A report with values, and objects that belong to the same subject. What the policy says of it is returned."""
        key = (component, "" if self.needs.per_component else resource)
        seen = self._seen([key])
        for name, value in values.items():
            if name in self.needs.names:
                seen.subject.append(0)
                seen.names.append(self.symbols.of(name))
                seen.values.append(float(self.symbols.of(value)) if isinstance(value, str) else float(value))
                seen.sample_resources.append(self.symbols.of(resource))
        for one in objects:
            if one["type"] in self.needs.objects:
                seen.objects.append(
                    Record(subject=0, samples_before=len(seen.names), kind=one["type"], text=json.dumps(one)))
        return self._keep([key], self.policy.evaluate(seen))

    def advance(self, seconds: float):
        """Time goes on; timers fire. What the policy says is returned."""
        end, said = self.now + int(seconds * 1000), []
        while due := sorted((at, key) for key, at in self.timers.items() if at <= end):
            at, key = due[0]
            del self.timers[key]
            self.now = max(self.now, at)
            said += self._keep([key], self.policy.on_time(self._seen([key])))
        self.now = end
        return said

    def _seen(self, keys):
        state = [value for key in keys for value in self.state.get(key, [0.0] * self.needs.state_width)]
        return Record(now=self.now, components=[self.symbols.of(key[0]) for key in keys],
                      resources=[self.symbols.of(key[1]) for key in keys], state=state, subject=[], names=[], values=[],
                      sample_resources=[], objects=[])

    def _keep(self, keys, outcome):
        width = self.needs.state_width
        assert len(outcome.state) == width * len(keys), "a state of another length: the call would have failed"
        for place, key in enumerate(keys):
            self.state[key] = outcome.state[place * width:(place + 1) * width]
        for timer in outcome.timers:
            self.timers.pop(keys[timer.subject], None)
            if timer.at:
                self.timers[keys[timer.subject]] = timer.at
        verdicts = sorted([(one.step, 1, one) for one in outcome.raised] + [(one.step, 0, one) for one in outcome.cleared],
                          key=lambda verdict: verdict[:2])
        for _, is_raised, one in verdicts:
            place = (*keys[one.subject], one.alarm_type, one.qualifier)
            if is_raised:
                self.alarms[place] = one
            else:
                self.alarms.pop(place, None)
        return [one for _, _, one in verdicts]


class HandlerHost:
    """A manager with one handler. `Problems` of the configuration are raised."""

    def __init__(self, kind, reference_point: str, config: dict):
        self.symbols = _Symbols()
        self.handler = handler(kind)()
        self.needs = self.handler.configure(reference_point, json.dumps(config))
        self.handler.bind(self.symbols.all(self.needs.names))

    def handle(self, extension: list):
        """A report with this extension: its refusal or `None`, samples added as (name, resource, value), alarms."""
        objects = [Record(report=0, index=index, kind=one.get("type"), text=json.dumps(one))
                   for index, one in enumerate(extension) if one.get("type") in self.needs.objects]
        answer = self.handler.handle(Record(
            components=[self.symbols.of("component")], offsets=[0, 0], names=[], resources=[], values=[], flags=[],
            faults=[], objects=objects, raw=[json.dumps(extension)] if self.needs.raw else []))
        names = {symbol: name for name, symbol in self.symbols.known.items()}
        samples = [(names[one.name], one.resource, names[int(one.value)] if one.kind == 1 else one.value)
                   for one in answer.samples]
        refusal = answer.refusals[0].reason if answer.refusals else None
        return Record(refusal=refusal, samples=samples, alarms=answer.alarms)
