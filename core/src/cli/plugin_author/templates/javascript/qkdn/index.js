// What a plugin of the QKDN manager is in JavaScript: names instead of symbols, and one sample or report at a time.
//
// A plugin is a class, derived from `Policy` or `Handler`; `component.js` makes a component of it. The contract itself, with when each
// function is called and what it may answer, is in `wit/`.

/** Thrown by the constructor of a plugin: everything that is wrong with the configuration, as `{ path, message }`. */
export class Problems extends Error {
  constructor(...problems) {
    super(problems.map(({ path, message }) => `${path}: ${message}`).join("; "));
    this.problems = problems;
  }
}

/** A component together with one of its resources: what is known of it, and what is to be said. */
export class Subject {
  /** `component` and `resource`: names, if `needs` has them; an empty resource is the component itself. `now`: milliseconds. */
  constructor(now, component, resource, state) {
    this.now = now;
    this.component = component;
    this.resource = resource;
    /** Numbers that the manager keeps, at first zero. Change them in place. */
    this.state = state;
    this.verdicts = [];
  }

  /**
   * Raises an alarm, or changes it if it is raised already. `severity`: warning, minor, major, critical, indeterminate. Further facts:
   * qualifier, eventType, probableCause, observed, threshold, repairActions, evidence (an object of texts).
   */
  raise(alarmType, severity, text, facts = {}) {
    const { qualifier = "", eventType = "", probableCause = "", observed, threshold, repairActions = [], evidence = {} } = facts;
    this.verdicts.push(["raised", { alarmType, severity, text, qualifier, eventType, probableCause, observed, threshold, repairActions,
      evidence: Object.entries(evidence) }]);
  }

  /** Clears an alarm; `text` says why it is over. What is not raised stays so. */
  clear(alarmType, text, qualifier = "") {
    this.verdicts.push(["cleared", { alarmType, qualifier, text }]);
  }

  /** Asks for `onTime` at a time, in milliseconds since 1970-01-01 UTC. A subject has one timer; 0 takes it back. */
  callAt(at) {
    this.verdicts.push(["timers", { at: BigInt(at) }]);
  }

  /** Requests a status report of the component: these values, or everything. */
  request(...names) {
    this.verdicts.push(["requests", { names }]);
  }
}

/** Watches what accepted reports say. What has to be remembered goes into `Subject.state`, never into `this`. */
export class Policy {
  static plugin = "policy";
  static version = "0.1.0";
  static summary = "";
  /** JSON Schema of the configuration. */
  static schema = { type: "object" };

  /** Takes the configuration; throws `Problems`. */
  constructor(_config) {}

  /** What it wants: names, words, components, resources, stateWidth, perComponent, objects, objectResource. */
  needs() {
    return {};
  }

  /** A sample, in the order in which samples were accepted: `{ name, value, word, resource }`. */
  observe(_subject, _sample) {}

  /** An extension object of a type in `needs().objects`, in its place among the samples. */
  received(_subject, _kind, _object) {}

  /** The timer of a subject is due. */
  onTime(_subject) {}
}

/** A status report that a handler says yes or no to. */
export class Report {
  constructor(extension, samples, objects, faults) {
    /** Its extension, with `raw`; else empty. */
    this.extension = extension;
    /** Its values, as far as they have their normal form: `{ name, value, word }`. */
    this.samples = samples;
    /** `{ index, kind, object }` of the types asked for. */
    this.objects = objects;
    /** What is wrong with it already: `{ path, message }`. Usually nothing. */
    this.faults = faults;
    this.refusal = undefined;
    this.added = [];
    this.alarms = [];
  }

  /** Does not accept it; the first reason is answered. For who reads the component's log: names object and key. */
  refuse(reason) {
    this.refusal ??= reason;
  }

  /** Adds a value in normal form: a number, a boolean, or a word of the catalogue. `needs` has to name name and word. */
  add(name, value, resource = "") {
    this.added.push({ name, value, resource });
  }

  /** An alarm that the component raised itself, or with the severity `cleared` took back. */
  alarm(alarmType, severity, text, facts = {}) {
    const { resource = "", qualifier = "", eventType = "", probableCause = "" } = facts;
    this.alarms.push({ alarmType, severity, text, resource, qualifier, eventType, probableCause });
  }
}

/** Understands what the components of a reference point send. Nothing is remembered from report to report. */
export class Handler {
  static plugin = "handler";
  static version = "0.1.0";
  static summary = "";
  /** JSON Schema of the configuration. */
  static schema = { type: "object" };

  /** Takes the reference point (`mq`) and the configuration; throws `Problems`. */
  constructor(_referencePoint, _config) {}

  /** What it wants: names (and words of the catalogue), raw, objects. */
  needs() {
    return {};
  }

  /** Says no to a report with `refuse`, and what it means with `add` and `alarm`. */
  handle(_report) {}
}
