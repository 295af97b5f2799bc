// For tests: serves dist/ under /ui/ with a strict Content-Security-Policy, and forwards /api/ to a manager.
//
// Faults on demand: `server.control` can hold back the API (as if the manager were gone) and play a stream of events.

import { readFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { extname, join, normalize } from 'node:path';

export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};

const dist = new URL('../dist/', import.meta.url).pathname;

/** Starts the server on a free port. `api` is the manager's address, such as http://127.0.0.1:7100. */
export async function serve(api) {
  const control = {
    /** The manager is not there: connections are cut. */
    gone: false,
    /** There is a stream of events, although the manager may have none. */
    stream: false,
    /** Paths that were asked for, without their queries. */
    asked: [],
    /** Answers that stand in for the manager's, by path and query. */
    instead: new Map(),
    send(event, data, id) {
      for (const open of streams) open.write(`event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
    },
    listeners: () => streams.size,
    endStreams() {
      for (const open of streams) open.destroy();
      streams.clear();
    },
  };
  const streams = new Set();

  function events(incoming, outgoing) {
    outgoing.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    outgoing.write(': here\n\n');
    streams.add(outgoing);
    incoming.on('close', () => streams.delete(outgoing));
  }

  function forward(incoming, outgoing) {
    const target = new URL(incoming.url, api);
    control.asked.push(target.pathname);
    if (control.gone) return incoming.socket.destroy();
    if (control.stream && target.pathname === '/api/v1/events') return events(incoming, outgoing);
    const stand = control.instead.get(target.pathname + target.search) ?? control.instead.get(target.pathname);
    if (stand !== undefined) {
      const [status, body] = stand;
      outgoing.writeHead(status, { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json' });
      return outgoing.end(JSON.stringify(body));
    }
    const headers = { ...incoming.headers, host: target.host };
    const upstream = request(target, { method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  }

  async function file(incoming, outgoing) {
    const path = normalize(decodeURIComponent(new URL(incoming.url, 'http://x').pathname));
    if (path === '/' || path === '/ui') return outgoing.writeHead(308, { Location: '/ui/' }).end();
    const name = path === '/ui/' ? 'index.html' : path.replace(/^\/ui\//, '');
    try {
      const content = await readFile(join(dist, name));
      outgoing.writeHead(200, {
        'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream',
        'Content-Security-Policy': CSP,
        'X-Content-Type-Options': 'nosniff',
        'Referrer-Policy': 'no-referrer',
      });
      outgoing.end(content);
    } catch {
      outgoing.writeHead(404).end();
    }
  }

  const server = createServer((incoming, outgoing) => {
    if (incoming.url.startsWith('/api/')) forward(incoming, outgoing);
    else void file(incoming, outgoing);
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    control,
    url: `http://127.0.0.1:${server.address().port}/ui/`,
    close: () => {
      control.endStreams();
      server.closeAllConnections();
      return new Promise((closed) => server.close(closed));
    },
  };
}
