// What every view needs: the manager's health, its components, the raised alarms and the policies.

import { api, type Listing } from '../api/client';
import { SEVERITIES, type ComponentSummary, type Severity } from '../api/types';
import { RateMeter } from '../logic/rates';
import { AlarmList } from './alarms.svelte';
import { Resource } from './resource.svelte';

const MOST_RAISED = 2_000;
/** Reports come all the time; the counts that they change are shown this often. */
const COUNTS_MS = 2_000;

class Network {
  readonly health = new Resource(api.health, {
    affects: () => true,
    leastMs: COUNTS_MS,
  });
  readonly components = new Resource<Listing<ComponentSummary>>(
    async (signal) => {
      const listing = await api.components(signal);
      const first = this.#meters.size === 0;
      this.#count(listing.items);
      // A rate needs two counts; the second is not waited for as long as the others.
      if (first) setTimeout(() => this.components.refresh(), COUNTS_MS);
      return listing;
    },
    { affects: () => true, leastMs: COUNTS_MS },
  );
  readonly policies = new Resource(api.policies, { affects: (change) => change.kind === 'components', leastMs: 5_000 });
  readonly raised = new AlarmList({ cleared: false }, MOST_RAISED);
  /** Reports a second, by reference point; `all` for the sum. */
  rates = $state.raw<ReadonlyMap<string, number | undefined>>(new Map());

  readonly #meters = new Map<string, RateMeter>();

  /** Raised alarms by severity, the worst first; undefined before they are known. */
  get counts(): { severity: Severity; count: number }[] | undefined {
    // More than are listed here are counted by the manager.
    if (this.raised.loaded && !this.raised.more) {
      const items = this.raised.items;
      return SEVERITIES.map((severity) => ({ severity, count: items.filter((alarm) => alarm.severity === severity).length }));
    }
    return this.health.value?.alarms.map(({ severity, notCleared }) => ({ severity, count: notCleared }));
  }

  run(): () => void {
    const stops = [this.health.run(), this.components.run(), this.policies.run(), this.raised.run()];
    return () => stops.forEach((stop) => stop());
  }

  #count(components: ComponentSummary[]): void {
    const totals = new Map<string, number>([['all', 0]]);
    for (const { referencePoint, reports } of components) {
      totals.set('all', totals.get('all')! + reports);
      totals.set(referencePoint, (totals.get(referencePoint) ?? 0) + reports);
    }
    const now = Date.now();
    this.rates = new Map(
      [...totals].map(([point, total]) => {
        let meter = this.#meters.get(point);
        if (meter === undefined) this.#meters.set(point, (meter = new RateMeter()));
        return [point, meter.add(now, total)];
      }),
    );
  }
}

export const network = new Network();
