// The manager played for unit tests: node runs the plugin, by the same code that a component has.

import { handler, none, policy } from "./crossing.js";

/** Numbers for names, as the manager gives them. */
class Symbols {
  known = new Map([["", 0]]);

  of(name) {
    if (!this.known.has(name)) {
      this.known.set(name, this.known.size);
    }
    return this.known.get(name);
  }

  all(names) {
    return names.map((name) => this.of(name));
  }
}

/** A manager with one policy. `Problems` of the configuration are thrown. */
export class PolicyHost {
  /** What is raised, by component, resource, alarm type and qualifier, joined by blanks. */
  alarms = new Map();
  #symbols = new Symbols();
  #state = new Map();
  #timers = new Map();

  constructor(kind, config, now = 1_767_225_600_000) {
    this.now = now;
    this.policy = policy(kind, none);
    this.needs = this.policy.configure(JSON.stringify(config));
    const { names, words, components, resources } = this.needs;
    const all = (some) => this.#symbols.all(some);
    this.policy.bind({ names: all(names), words: all(words), components: all(components), resources: all(resources) });
  }

  /** A report with values, and objects that belong to the same subject. What the policy says of it is returned. */
  send(component, resource, values, objects = []) {
    const key = [component, this.needs.perComponent ? "" : resource];
    const seen = this.#seen(key);
    for (const [name, value] of Object.entries(values).filter(([name]) => this.needs.names.includes(name))) {
      seen.subject.push(0);
      seen.names.push(this.#symbols.of(name));
      seen.values.push(typeof value === "string" ? this.#symbols.of(value) : Number(value));
      seen.sampleResources.push(this.#symbols.of(resource));
    }
    seen.objects = objects.filter((object) => this.needs.objects.includes(object.type))
      .map((object) => ({ subject: 0, samplesBefore: seen.names.length, kind: object.type, text: JSON.stringify(object) }));
    return this.#keep(key, this.policy.evaluate(seen));
  }

  /** Time goes on; timers fire. What the policy says is returned. */
  advance(seconds) {
    const [end, said] = [this.now + seconds * 1000, []];
    for (;;) {
      const due = [...this.#timers.entries()].filter(([, { at }]) => at <= end).sort(([, one], [, other]) => one.at - other.at)[0];
      if (due === undefined) {
        this.now = end;
        return said;
      }
      this.#timers.delete(due[0]);
      this.now = Math.max(this.now, due[1].at);
      said.push(...this.#keep(due[1].key, this.policy.onTime(this.#seen(due[1].key))));
    }
  }

  #seen(key) {
    const state = this.#state.get(key.join(" ")) ?? new Float64Array(this.needs.stateWidth);
    return { now: BigInt(this.now), components: [this.#symbols.of(key[0])], resources: [this.#symbols.of(key[1])], state, subject: [],
      names: [], values: [], sampleResources: [], objects: [] };
  }

  #keep(key, outcome) {
    if (outcome.state.length !== this.needs.stateWidth) {
      throw new Error("a state of another length: the call would have failed");
    }
    const subject = key.join(" ");
    this.#state.set(subject, outcome.state);
    for (const { at } of outcome.timers) {
      this.#timers.delete(subject);
      if (at !== 0n) {
        this.#timers.set(subject, { at: Number(at), key });
      }
    }
    const verdicts = [...outcome.cleared, ...outcome.raised].sort((one, other) => one.step - other.step);
    for (const verdict of verdicts) {
      const place = `${subject} ${verdict.alarmType} ${verdict.qualifier}`;
      if (outcome.raised.includes(verdict)) {
        this.alarms.set(place, verdict);
      } else {
        this.alarms.delete(place);
      }
    }
    return verdicts;
  }
}

/** A manager with one handler. `Problems` of the configuration are thrown. */
export class HandlerHost {
  #symbols = new Symbols();

  constructor(kind, referencePoint, config) {
    this.handler = handler(kind, none);
    this.needs = this.handler.configure(referencePoint, JSON.stringify(config));
    this.handler.bind(this.#symbols.all(this.needs.names));
  }

  /** A report with this extension: its refusal, samples added as `{ name, resource, value }`, and alarms. */
  handle(extension) {
    const objects = extension.map((object, index) => ({ report: 0, index, kind: object.type, text: JSON.stringify(object) }));
    const batch = { components: [this.#symbols.of("component")], offsets: [0, 0], names: [], resources: [], values: [], flags: [], faults: [],
      objects: objects.filter(({ kind }) => this.needs.objects.includes(kind)), raw: [JSON.stringify(extension)] };
    const { refusals, alarms, samples } = this.handler.handle(batch);
    const names = new Map([...this.#symbols.known].map(([name, symbol]) => [symbol, name]));
    const plain = ({ name, resource, value, kind }) =>
      ({ name: names.get(name), resource, value: kind === 1 ? names.get(value) : value });
    return { refusal: refusals[0]?.reason, samples: samples.map(plain), alarms };
  }
}
