// The address shown, and going to another.

import { parseRoute, type Route } from '../logic/route';

class Router {
  route = $state.raw<Route>(parseRoute(location.hash));

  start(): void {
    addEventListener('hashchange', () => this.#read());
  }

  /** Changes parameters of the present page without a step in the browser's history; an empty one goes away. */
  set(changes: Record<string, string | number | undefined>): void {
    const { parameters } = parseRoute(location.hash);
    for (const [key, value] of Object.entries(changes)) {
      if (value === undefined || value === '') parameters.delete(key);
      else parameters.set(key, String(value));
    }
    const [path = '#/'] = location.hash.split('?');
    const text = parameters.toString();
    history.replaceState(null, '', `${path === '' ? '#/' : path}${text === '' ? '' : `?${text}`}`);
    this.#read();
  }

  #read(): void {
    this.route = parseRoute(location.hash);
  }
}

export const router = new Router();
