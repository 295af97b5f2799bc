// The network as a graph: what components report of nodes and links, and the components themselves.

import type { ComponentSummary, NetworkEntry } from '../api/types';
import { spread, type Place } from './layout';
import { stateOf, worst, type State } from './severity';

export interface GraphNode {
  id: string;
  label: string;
  kind: 'node' | 'component';
  /** Kind as reported, or what the component is. */
  what: string;
  site: string;
  state: State;
  /** The node that a component belongs to. */
  parent: string | undefined;
  /** Components that speak for it. */
  components: string[];
}

export interface GraphLink {
  id: string;
  label: string;
  kind: 'link' | 'peer';
  what: string;
  a: string;
  b: string;
  state: State;
  components: string[];
}

export interface Route {
  id: string;
  hops: string[];
}

export interface Graph {
  nodes: GraphNode[];
  links: GraphLink[];
  routes: Route[];
  /** Components that are left out of the drawing, there being so many. */
  undrawn: number;
}

export interface Inventory {
  /** Topology nodes and links that components say they belong to, and their peers. */
  node: ReadonlyMap<string, string>;
  link: ReadonlyMap<string, string[]>;
  peer: ReadonlyMap<string, string[]>;
}

type Fields = Record<string, unknown>;
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

export function readInventory(entries: readonly NetworkEntry[]): Inventory {
  const node = new Map<string, string>();
  const link = new Map<string, string[]>();
  const peer = new Map<string, string[]>();
  const add = (to: Map<string, string[]>, component: string, value: string) =>
    to.set(component, [...(to.get(component) ?? []), value]);
  for (const entry of entries) {
    const value = text(entry.value);
    if (value === '') continue;
    if (entry.name === 'node_id' && (entry.resource ?? '') === '') node.set(entry.component, value);
    if (entry.name === 'link_id') add(link, entry.component, value);
    if (entry.name === 'peer_component') add(peer, entry.component, value);
  }
  return { node, link, peer };
}

/** What a link's state says, in words that are usual; other words say nothing of good or bad. */
function linkState(word: string): State {
  const lower = word.toLowerCase();
  if (['up', 'active', 'ok', 'enabled', 'available'].includes(lower)) return 'ok';
  if (['down', 'failed', 'failure', 'off', 'unavailable', 'disabled'].includes(lower)) return 'major';
  if (['degraded', 'pending'].includes(lower)) return 'minor';
  return 'none';
}

const nodeKey = (id: string) => `node:${id}`;
export const componentKey = (component: string) => `component:${component}`;

/** More components than this: those that belong to a node stand for themselves only in its state, and so do those that are well. */
export const MOST_DRAWN = 120;

export function buildGraph(
  topology: readonly NetworkEntry[],
  inventory: Inventory,
  components: readonly ComponentSummary[],
  most = MOST_DRAWN,
): Graph {
  const states = new Map(components.map((component) => [component.component, stateOf(component)]));
  const known = new Set(states.keys());

  // Several components may report the same node or link; the last word is as good as the first.
  const nodes = new Map<string, GraphNode>();
  const node = (id: string): GraphNode => {
    let found = nodes.get(id);
    if (found === undefined) {
      found = { id: nodeKey(id), label: id, kind: 'node', what: '', site: '', state: 'none', parent: undefined, components: [] };
      nodes.set(id, found);
    }
    return found;
  };
  const links = new Map<string, GraphLink>();
  const routes = new Map<string, Route>();
  for (const entry of topology) {
    const value = fields(entry.value);
    if (entry.kind === 'node') {
      const of = node(entry.name);
      of.what = text(value['kind']) || of.what;
      of.site = text(value['site']) || of.site;
    } else if (entry.kind === 'link') {
      const [a, b] = [text(value['a']), text(value['b'])];
      if (a === '' || b === '') continue;
      const state = linkState(text(value['state']));
      const what = [text(value['kind']), text(value['state'])].filter((word) => word !== '').join(', ');
      links.set(entry.name, { id: `link:${entry.name}`, label: entry.name, kind: 'link', what, a: node(a).id, b: node(b).id, state, components: [] });
    } else if (entry.kind === 'route') {
      const hops = Array.isArray(value['hops']) ? value['hops'].map(text) : [];
      routes.set(entry.name, { id: entry.name, hops });
    }
  }

  // Components belong to the node or link that they name in their inventory, or that has their own ID.
  const shown: GraphNode[] = [];
  const onLink = new Set<string>();
  const crowded = components.length > most;
  let undrawn = 0;
  for (const component of components) {
    const { component: name, id } = component;
    for (const linkId of [...(inventory.link.get(name) ?? []), id]) {
      const link = links.get(linkId);
      if (link === undefined || link.components.includes(name)) continue;
      link.components.push(name);
      link.state = worst([link.state, states.get(name)!]);
      if (linkId === id) onLink.add(name);
    }
    if (onLink.has(name)) continue;
    const parent = nodes.get(inventory.node.get(name) ?? id);
    if (parent !== undefined) {
      parent.components.push(name);
      parent.state = worst([parent.state, states.get(name)!]);
    }
    if (crowded && (parent !== undefined || states.get(name) === 'ok' || shown.length >= most)) {
      undrawn += 1;
      continue;
    }
    shown.push({
      id: componentKey(name),
      label: name,
      kind: 'component',
      what: component.kind,
      site: component.site,
      state: states.get(name)!,
      parent: parent?.id,
      components: [name],
    });
  }

  const peers: GraphLink[] = [];
  const drawable = new Set(shown.map(({ id }) => id));
  const drawn = new Set<string>();
  for (const [name, others] of inventory.peer) {
    for (const other of others) {
      // A peer is named by its ID alone, or with its reference point.
      const full = known.has(other) ? other : `${name.slice(0, name.indexOf('/'))}/${other}`;
      if (!drawable.has(componentKey(name)) || !drawable.has(componentKey(full)) || onLink.has(name) || onLink.has(full)) continue;
      const key = [name, full].sort().join(' ');
      if (drawn.has(key)) continue;
      drawn.add(key);
      const state = worst([states.get(name)!, states.get(full)!]);
      peers.push({ id: `peer:${key}`, label: '', kind: 'peer', what: 'peers', a: componentKey(name), b: componentKey(full), state, components: [name, full] });
    }
  }
  return { nodes: [...nodes.values(), ...shown], links: [...links.values(), ...peers], routes: [...routes.values()], undrawn };
}

/** What makes a graph another drawing rather than the same in other colours. */
export function shapeOf(graph: Graph): string {
  return JSON.stringify([graph.nodes.map((n) => [n.id, n.parent]), graph.links.map((l) => [l.id, l.a, l.b])]);
}

/** Room for a node, and between the drawing and the rows below it. */
const DISTANCE = 130;
const MOST_BELOW = 4;

/** Where things stand: the nodes of the topology as their links have it; components that belong to none below, a row or more for each reference point. */
export function places(graph: Graph): Map<string, Place> {
  const found = new Map<string, Place>();
  const topology = graph.nodes.filter((node) => node.kind === 'node').map((node) => node.id);
  const index = new Map(topology.map((id, at) => [id, at]));
  const joined = graph.links.flatMap(({ a, b }): [number, number][] => {
    const [from, to] = [index.get(a), index.get(b)];
    return from === undefined || to === undefined ? [] : [[from, to]];
  });
  const members = new Map<string, string[]>();
  const rows = new Map<string, string[]>();
  for (const { id, kind, parent, label } of graph.nodes) {
    if (kind !== 'component') continue;
    const [to, key] = parent === undefined ? [rows, label.slice(0, label.indexOf('/'))] : [members, parent];
    to.set(key, [...(to.get(key) ?? []), id]);
  }

  // Nodes that hold components need more room.
  const fullest = Math.max(0, ...[...members.values()].map((ids) => ids.length));
  const spots =
    topology.length <= 2
      ? topology.map((_, at) => ({ x: (at - (topology.length - 1) / 2) * 300, y: 0 }))
      : spread(topology.length, joined, DISTANCE * (1 + 0.7 * Math.sqrt(fullest)));
  topology.forEach((id, at) => found.set(id, spots[at]!));
  for (const [parent, ids] of members) {
    const { x, y } = found.get(parent)!;
    // One below the other, so that lines between peers do not run over each other.
    const columns = Math.ceil(ids.length / MOST_BELOW);
    const lines = Math.ceil(ids.length / columns);
    ids.forEach((id, at) => {
      const [column, line] = [Math.floor(at / lines), at % lines];
      found.set(id, { x: x + (column - (columns - 1) / 2) * 100, y: y + (line - (lines - 1) / 2) * 75 });
    });
  }

  const neighbours = new Map<string, string[]>();
  for (const { a, b } of graph.links) {
    neighbours.set(a, [...(neighbours.get(a) ?? []), b]);
    neighbours.set(b, [...(neighbours.get(b) ?? []), a]);
  }
  const lowest = Math.max(...[...found.values()].map(({ y }) => y), -DISTANCE);
  let y = lowest + DISTANCE;
  const free = [...rows.values()].reduce((sum, ids) => sum + ids.length, 0);
  const perRow = Math.max(8, Math.ceil(2 * Math.sqrt(free)));
  for (const ids of rows.values()) {
    const row = walk(ids, neighbours);
    for (let start = 0; start < row.length; start += perRow) {
      const part = row.slice(start, start + perRow);
      const gap = Math.max(130, 300 / Math.max(1, part.length - 1));
      part.forEach((id, at) => found.set(id, { x: (at - (part.length - 1) / 2) * gap, y }));
      y += 100;
    }
  }
  return found;
}

/** All of them, neighbours after one another where that is possible. */
function walk(ids: readonly string[], neighbours: ReadonlyMap<string, readonly string[]>): string[] {
  const left = new Set(ids);
  const order: string[] = [];
  for (const start of ids) {
    const waiting = [start];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (!left.delete(id)) continue;
      order.push(id);
      waiting.push(...[...(neighbours.get(id) ?? [])].reverse().filter((next) => left.has(next)));
    }
  }
  return order;
}
