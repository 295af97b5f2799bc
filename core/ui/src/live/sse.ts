// Server-sent events from pieces of text, after the HTML standard. Read by hand because EventSource can send no header
// and tells no status.

export interface ServerEvent {
  event: string;
  data: string;
  id: string;
}

export class EventParser {
  /** The last `id:` seen, for `Last-Event-ID`. */
  lastEventId: string;
  /** What the server asks to wait before the next attempt. */
  retryMs: number | undefined;

  #rest = '';
  #event = '';
  #data: string[] = [];
  #pendingReturn = false;

  constructor(lastEventId = '') {
    this.lastEventId = lastEventId;
  }

  push(text: string): ServerEvent[] {
    let piece = text;
    // A line feed right after a carriage return that ended the piece before belongs to it.
    if (this.#pendingReturn && piece.startsWith('\n')) piece = piece.slice(1);
    if (piece !== '') this.#pendingReturn = piece.endsWith('\r');
    const lines = (this.#rest + piece).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): ServerEvent[] {
    if (line === '') return this.#dispatch();
    if (line.startsWith(':')) return [];
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.lastEventId = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
    return [];
  }

  #dispatch(): ServerEvent[] {
    const [event, data] = [this.#event || 'message', this.#data];
    this.#event = '';
    this.#data = [];
    return data.length === 0 && event !== 'resync' ? [] : [{ event, data: data.join('\n'), id: this.lastEventId }];
  }
}
