import { describe, expect, it } from 'vitest';
import type { NetworkEntry } from '../api/types';
import { component } from '../testing/samples';
import { buildGraph, places, readInventory, shapeOf } from './topology';

const entry = (kind: NetworkEntry['kind'], name: string, value: unknown, of = 'mc/c'): NetworkEntry => ({
  component: of, kind, name, value, since: '', changed: '', time: '',
});

const topology = [
  entry('node', 'n-1', { id: 'n-1', kind: 'trusted-node', site: 'vienna' }),
  entry('node', 'n-2', { id: 'n-2' }),
  entry('link', 'l-1', { id: 'l-1', a: 'n-1', b: 'n-2', kind: 'PHYS', state: 'up' }),
  entry('link', 'l-2', { id: 'l-2', a: 'n-1', b: 'n-3', state: 'down' }),
  entry('route', 'r-1', { id: 'r-1', hops: ['n-1', 'n-2'] }),
];

describe('the graph', () => {
  const inventory = readInventory([
    entry('inventory', 'node_id', 'n-1', 'mq/alice'),
    entry('inventory', 'peer_component', 'bob', 'mq/alice'),
    entry('inventory', 'peer_component', 'mq/alice', 'mq/bob'),
    entry('inventory', 'peer_component', 'nobody', 'mk/km'),
  ]);
  const graph = buildGraph(topology, inventory, [
    component({ component: 'mq/alice', worstAlarm: 'major' }),
    component({ component: 'mq/bob' }),
    component({ component: 'mops/l-1', worstAlarm: 'critical' }),
    component({ component: 'mk/km', connectionCount: 0 }),
  ]);
  const node = (label: string) => graph.nodes.find((candidate) => candidate.label === label);
  const link = (id: string) => graph.links.find((candidate) => candidate.id === id);

  it('has nodes as reported, in the state of their components', () => {
    expect(node('n-1')).toMatchObject({ kind: 'node', what: 'trusted-node', site: 'vienna', state: 'major', components: ['mq/alice'] });
    expect(node('n-2')).toMatchObject({ state: 'none', components: [] });
    // No node is reported, but a link ends there.
    expect(node('n-3')).toMatchObject({ what: '', state: 'none' });
    expect(node('mq/alice')).toMatchObject({ kind: 'component', state: 'major', parent: 'node:n-1' });
    expect(node('mk/km')).toMatchObject({ state: 'offline', parent: undefined });
  });

  it('has links in the state of the switch with their ID, else of their own word', () => {
    expect(link('link:l-1')).toMatchObject({ state: 'critical', components: ['mops/l-1'], what: 'PHYS, up' });
    expect(link('link:l-2')).toMatchObject({ state: 'major', components: [] });
    expect(node('mops/l-1')).toBeUndefined();
  });

  it('joins peers once, and only where both are known', () => {
    expect(graph.links.filter((candidate) => candidate.kind === 'peer').map(({ a, b, state }) => [a, b, state])).toEqual([
      ['component:mq/alice', 'component:mq/bob', 'major'],
    ]);
  });

  it('draws no link to a node that is not there', () => {
    const ids = new Set(graph.nodes.map((candidate) => candidate.id));
    for (const { a, b } of graph.links) expect([ids.has(a), ids.has(b)]).toEqual([true, true]);
  });

  it('keeps its shape when only states change', () => {
    const other = buildGraph(topology, inventory, [
      component({ component: 'mq/alice' }),
      component({ component: 'mq/bob' }),
      component({ component: 'mops/l-1' }),
      component({ component: 'mk/km' }),
    ]);
    expect(shapeOf(other)).toBe(shapeOf(graph));
    expect(shapeOf(buildGraph(topology, inventory, []))).not.toBe(shapeOf(graph));
  });

  it('leaves out components where there are too many, but not their trouble', () => {
    const few = buildGraph(
      topology,
      inventory,
      [component({ component: 'mq/alice', worstAlarm: 'major' }), component({ component: 'mq/bob' }), component({ component: 'mk/km', connectionCount: 0 })],
      2,
    );
    expect(few.nodes.filter((candidate) => candidate.kind === 'component').map((candidate) => candidate.label)).toEqual(['mk/km']);
    expect(few.nodes.find((candidate) => candidate.label === 'n-1')?.state).toBe('major');
    expect(few.links.filter((candidate) => candidate.kind === 'peer')).toEqual([]);
    expect(few.undrawn).toBe(2);
  });

  it('has a place of its own for everything', () => {
    const found = places(graph);
    expect(found.size).toBe(graph.nodes.length);
    const free = graph.nodes.filter((candidate) => candidate.parent === undefined).map((candidate) => JSON.stringify(found.get(candidate.id)));
    expect(new Set(free).size).toBe(free.length);
  });
});
