// JSON of the manager's API, as far as the dashboard reads it.

export const REFERENCE_POINTS = ['mq', 'mops', 'mqrp', 'mk', 'mc', 'mu', 'mx'] as const;
export type ReferencePoint = (typeof REFERENCE_POINTS)[number];

/** The worst first. */
export const SEVERITIES = ['critical', 'major', 'minor', 'warning', 'indeterminate'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const FUNCTIONS = ['fault', 'configuration', 'accounting', 'performance', 'security'] as const;
export type FcapsFunction = (typeof FUNCTIONS)[number];

export type OperatorState = 'none' | 'acknowledged' | 'closed';

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface SeverityCount {
  severity: Severity;
  total: number;
  notCleared: number;
  notClearedNotClosed: number;
}

export interface Health {
  ready: boolean;
  reasons: string[];
  manager: string;
  domain: string;
  version: string;
  started: string;
  uptimeSeconds: number;
  components: { known: number; connected: number };
  alarms: SeverityCount[];
}

export interface ComponentSummary {
  component: string;
  referencePoint: ReferencePoint;
  id: string;
  kind: string;
  vendor: string;
  model: string;
  site: string;
  tags: string[];
  configured: boolean;
  connectionCount: number;
  lastReport: string | null;
  reports: number;
  worstAlarm: Severity | null;
  raisedAlarms: number;
}

export type ReportedValue = boolean | number | string;

export interface ValueView {
  name: string;
  resource: string;
  value: ReportedValue;
  unit?: string;
  time: string;
}

export interface LastValue extends ValueView {
  component: string;
}

export interface ConnectionView {
  peerAddress: string;
  since: string;
  keyExchange: string;
  dialled: boolean;
}

export interface OutwardSubscription {
  name: string;
  state: string;
  reason?: string;
  durable: boolean;
  notifications: number;
  missing: number;
  lastNotification?: string;
}

export interface ComponentDetail extends ComponentSummary {
  connections: ConnectionView[];
  dial: string | null;
  expectedIntervalMs: number | null;
  incarnation: number | null;
  lastSequence: number | null;
  gaps: number;
  kept: number;
  handler: string;
  policies: string[];
  values: ValueView[];
  outwardSubscriptions: OutwardSubscription[];
}

export interface StatusChange {
  time: string;
  severity: Severity | null;
  text: string;
}

export interface OperatorAction {
  time: string;
  operator: string;
  state: OperatorState;
  text: string;
}

export interface Alarm {
  id: number;
  component: string;
  resource: string;
  alarmTypeId: string;
  alarmTypeQualifier: string;
  isCleared: boolean;
  severity: Severity;
  text: string;
  eventType: string;
  probableCause: string;
  observed: number | null;
  threshold: number | null;
  repairActions: string[];
  additionalInformation: { name: string; value: string }[];
  raisedBy: string;
  timeCreated: string;
  lastRaised: string;
  lastChanged: string;
  raiseCount: number;
  operatorState: OperatorState;
  statusChanges: StatusChange[];
  operatorActions: OperatorAction[];
}

export interface PluginCounters {
  calls: number;
  failures: number;
  reports: number;
  seconds: number;
  logLinesDropped: number;
  verdictsDropped: number;
}

export interface HandlerView {
  name: string;
  referencePoint: ReferencePoint;
  plugin: string;
  version: string;
  sha256: string;
  onFailure: string;
  counters: PluginCounters;
}

export interface PolicyView {
  name: string;
  function: FcapsFunction;
  plugin: string;
  version: string;
  sha256: string;
  mode: 'active' | 'shadow' | 'off';
  /** As configured, where the manager shows it. */
  config?: Record<string, unknown>;
  counters: PluginCounters;
}

export interface NetworkEntry {
  component: string;
  kind: 'inventory' | 'node' | 'link' | 'route';
  resource?: string;
  name: string;
  value: unknown;
  since: string;
  changed: string;
  time: string;
}

export interface HistoryStep {
  time: string;
  min?: number;
  max?: number;
  mean?: number;
  last?: ReportedValue;
  value?: ReportedValue;
  count?: number;
}

export interface HistoryView {
  component: string;
  resource?: string;
  name: string;
  unit?: string;
  from: string;
  to: string;
  stepMs?: number;
  level: 'raw' | 'minute' | 'hour';
  points: HistoryStep[];
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
}
