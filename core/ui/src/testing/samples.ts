// Things of the API, for tests.

import type { Alarm, ComponentSummary, PolicyView } from '../api/types';

export function alarm(changes: Partial<Alarm> = {}): Alarm {
  return {
    id: 1,
    component: 'mq/alice',
    resource: '',
    alarmTypeId: 'qber-threshold-exceeded',
    alarmTypeQualifier: 'qber',
    isCleared: false,
    severity: 'major',
    text: 'qber_ratio 0.08 is above 0.06',
    eventType: 'quality-of-service',
    probableCause: 'threshold-crossed',
    observed: 0.08,
    threshold: 0.06,
    repairActions: [],
    additionalInformation: [],
    raisedBy: 'policy:qber',
    timeCreated: '2026-11-26T08:00:00Z',
    lastRaised: '2026-11-26T08:00:00Z',
    lastChanged: '2026-11-26T08:00:00Z',
    raiseCount: 1,
    operatorState: 'none',
    statusChanges: [],
    operatorActions: [],
    ...changes,
  };
}

export function component(changes: Partial<ComponentSummary> = {}): ComponentSummary {
  const name = changes.component ?? 'mq/alice';
  const slash = name.indexOf('/');
  return {
    component: name,
    referencePoint: name.slice(0, slash) as ComponentSummary['referencePoint'],
    id: name.slice(slash + 1),
    kind: 'QKD module',
    vendor: '',
    model: '',
    site: '',
    tags: [],
    configured: true,
    connectionCount: 1,
    lastReport: '2026-11-26T08:00:00Z',
    reports: 1,
    worstAlarm: null,
    raisedAlarms: 0,
    ...changes,
  };
}

export function policy(changes: Partial<PolicyView> = {}): PolicyView {
  return {
    name: 'qber',
    function: 'performance',
    plugin: 'builtin:threshold',
    version: '0.1.0',
    sha256: '00',
    mode: 'active',
    counters: { calls: 0, failures: 0, reports: 0, seconds: 0, logLinesDropped: 0, verdictsDropped: 0 },
    ...changes,
  };
}
