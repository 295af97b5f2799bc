// Which of the five FCAPS functions an alarm belongs to.

import type { Alarm, FcapsFunction, PolicyView } from '../api/types';

/** X.736's event types are security; of X.733's, quality of service is performance and the rest are faults. */
const BY_EVENT_TYPE: Record<string, FcapsFunction> = {
  communications: 'fault',
  equipment: 'fault',
  environmental: 'fault',
  'processing-error': 'fault',
  'quality-of-service': 'performance',
  'integrity-violation': 'security',
  'operational-violation': 'security',
  'physical-violation': 'security',
  'security-service-or-mechanism-violation': 'security',
  'time-domain-violation': 'security',
};

const POLICY = 'policy:';

/** The policy that raised an alarm, if one did. */
export function policyOf(alarm: Alarm): string | undefined {
  return alarm.raisedBy.startsWith(POLICY) ? alarm.raisedBy.slice(POLICY.length) : undefined;
}

/** The function of the policy that raised it; else what its event type says. */
export function functionOf(alarm: Alarm, policies: readonly PolicyView[]): FcapsFunction {
  const name = policyOf(alarm);
  const policy = name === undefined ? undefined : policies.find((candidate) => candidate.name === name);
  return policy?.function ?? BY_EVENT_TYPE[alarm.eventType] ?? 'fault';
}

export const LETTERS: Record<FcapsFunction, string> = {
  fault: 'F',
  configuration: 'C',
  accounting: 'A',
  performance: 'P',
  security: 'S',
};
