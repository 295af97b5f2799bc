// Addresses within the dashboard: `#/alarms?severity=major&id=3`.

export interface Route {
  /** Parts of the path, decoded. */
  path: string[];
  parameters: URLSearchParams;
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s);
  const decode = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  };
  return {
    path: path.split('/').filter((part) => part !== '').map(decode),
    parameters: new URLSearchParams(query),
  };
}

export type Parameters = Record<string, string | number | undefined>;

export function href(path: readonly string[], parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') query.set(key, String(value));
  }
  const text = query.toString();
  return `#/${path.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}

/** The page of a component `mk/km-1`. */
export function componentHref(component: string, parameters: Parameters = {}): string {
  const slash = component.indexOf('/');
  return href(['components', component.slice(0, slash), component.slice(slash + 1)], parameters);
}
