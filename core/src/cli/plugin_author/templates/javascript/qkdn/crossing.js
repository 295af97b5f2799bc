// From the arrays and symbols of the contract to the classes of `index.js`, and back.
//
// An error that a plugin throws goes to its log with the stack, before the call fails.

import { Problems, Report, Subject } from "./index.js";

const LOG_LINE = 1900;

/** Names and the symbols that the manager gave them. */
class Named {
  constructor(names, symbols) {
    this.symbols = new Map(names.map((name, place) => [name, symbols[place]]));
    this.names = new Map(names.map((name, place) => [symbols[place], name]));
  }

  name(symbol, none) {
    return symbol === 0 ? none : this.names.get(symbol);
  }
}

/** An entry point: what goes wrong in it is in the log before the call ends. */
function told(log, call) {
  return (...values) => {
    const shown = (level) => (...texts) => log(level, texts.map(String).join(" "));
    if (log !== none) {
      globalThis.console = { log: shown("info"), info: shown("info"), warn: shown("warn"), error: shown("error"), debug: shown("debug") };
    }
    try {
      return call(...values);
    } catch (error) {
      if (error?.payload === undefined) {
        log("error", `${error}\n${error?.stack ?? ""}`.slice(0, LOG_LINE));
      }
      throw error;
    }
  };
}

/** The log where there is no manager. */
export function none() {}

function describe(kind) {
  const { plugin: name, version, summary, schema } = kind;
  return { name, version, summary, configSchema: JSON.stringify(schema), extra: [] };
}

/** The plugin with its configuration, or its problems as the contract has them. */
function made(make) {
  try {
    return make();
  } catch (error) {
    if (error instanceof Problems) {
      error.payload = error.problems;
    }
    throw error;
  }
}

/** The interface `policy` of the contract. */
export function policy(kind, log) {
  let own, needs, names, words, components, resources;
  const subjects = (seen) => {
    const width = needs.stateWidth;
    return Array.from(seen.components, (component, place) => new Subject(Number(seen.now), components.name(component),
      resources.name(seen.resources[place], ""), Array.from(seen.state.slice(place * width, (place + 1) * width))));
  };
  const outcome = (all) => {
    const answer = { state: Float64Array.from(all.flatMap((subject) => subject.state)), raised: [], cleared: [], timers: [], requests: [] };
    const verdicts = all.flatMap((subject, place) => subject.verdicts.map(([what, verdict]) => [what, { subject: place, ...verdict }]));
    verdicts.sort(([, one], [, other]) => one.step - other.step);
    verdicts.forEach(([what, verdict]) => answer[what].push(verdict));
    return answer;
  };
  /** A call for one subject; its verdicts keep their order among those of all. */
  const numbered = (counter) => (subject, call) => {
    const before = subject.verdicts.length;
    call(subject);
    subject.verdicts.slice(before).forEach(([, verdict]) => { verdict.step = counter.next++; });
  };
  return {
    describe: told(log, () => describe(kind)),
    configure: told(log, (config) => {
      own = made(() => new kind(JSON.parse(config)));
      needs = { names: [], words: [], components: [], resources: [], stateWidth: 0, perComponent: false, objects: [], objectResource: "",
        ...own.needs() };
      return needs;
    }),
    bind: told(log, (symbols) => {
      names = new Named(needs.names, symbols.names);
      words = new Named(needs.words, symbols.words);
      components = new Named(needs.components, symbols.components);
      resources = new Named(needs.resources, symbols.resources);
    }),
    evaluate: told(log, (seen) => {
      const [all, call, objects] = [subjects(seen), numbered({ next: 0 }), [...seen.objects]];
      for (let place = 0; place <= seen.names.length; place++) {
        while (objects.length > 0 && objects[0].samplesBefore <= place) {
          const { subject, kind: type, text } = objects.shift();
          call(all[subject], (one) => own.received(one, type, JSON.parse(text)));
        }
        if (place < seen.names.length) {
          const value = seen.values[place];
          const sample = { name: names.name(seen.names[place]), value, word: words.name(value),
            resource: resources.name(seen.sampleResources[place], "") };
          call(all[seen.subject[place]], (one) => own.observe(one, sample));
        }
      }
      return outcome(all);
    }),
    onTime: told(log, (due) => {
      const [all, call] = [subjects(due), numbered({ next: 0 })];
      all.forEach((subject) => call(subject, (one) => own.onTime(one)));
      return outcome(all);
    }),
  };
}

/** The interface `handler` of the contract. */
export function handler(kind, log) {
  let own, needs, names;
  const report = (batch, index) => {
    const samples = [];
    for (let place = batch.offsets[index]; place < batch.offsets[index + 1]; place++) {
      const value = batch.values[place];
      samples.push({ name: names.name(batch.names[place]), value, word: (batch.flags[place] & 0xff) === 1 ? names.name(value) : undefined });
    }
    const own_ones = (list) => list.filter((one) => one.report === index);
    return new Report(needs.raw ? JSON.parse(batch.raw[index]) : [], samples,
      own_ones(batch.objects).map((one) => ({ index: one.index, kind: one.kind, object: JSON.parse(one.text) })),
      own_ones(batch.faults).map(({ path, message }) => ({ path, message })));
  };
  const symbol = (name) => {
    const found = names.symbols.get(name);
    if (found === undefined) {
      throw new Error(`needs() does not name \`${name}\``);
    }
    return found;
  };
  const sample = (index, { name, value, resource }) => {
    const [number, form] = typeof value === "string" ? [symbol(value), 1] : [Number(value), typeof value === "boolean" ? 2 : 0];
    return { report: index, name: symbol(name), resource, value: number, kind: form };
  };
  return {
    describe: told(log, () => describe(kind)),
    configure: told(log, (referencePoint, config) => {
      own = made(() => new kind(referencePoint, JSON.parse(config)));
      needs = { names: [], raw: false, objects: [], ...own.needs() };
      return needs;
    }),
    bind: told(log, (symbols) => {
      names = new Named(needs.names, symbols);
    }),
    handle: told(log, (batch) => {
      const answer = { refusals: [], alarms: [], samples: [] };
      for (let index = 0; index < batch.components.length; index++) {
        const one = report(batch, index);
        own.handle(one);
        if (one.refusal !== undefined) {
          // Of a report that is refused nothing is kept.
          answer.refusals.push({ report: index, reason: one.refusal });
          continue;
        }
        answer.alarms.push(...one.alarms.map((alarm) => ({ report: index, ...alarm })));
        answer.samples.push(...one.added.map((added) => sample(index, added)));
      }
      return answer;
    }),
  };
}
