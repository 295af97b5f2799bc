// How soon a page is seen: node e2e/paint.mjs, with QKDNM_API and perhaps CHROMIUM set. From the manager itself, over
// loopback, with nothing in the browser's cache: the first paint, the first paint with content, and the moment at which the
// overview shows what the manager answered. One line of JSON, milliseconds.

import { launch } from './browser.mjs';

const api = process.env.QKDNM_API ?? 'http://127.0.0.1:7100';
const loads = Number(process.argv[2] ?? 30);

const browser = await launch();
const page = await browser.context.newPage();
const session = await browser.context.newCDPSession(page);
await session.send('Network.setCacheDisabled', { cacheDisabled: true });
const figures = { firstPaint: [], firstContentfulPaint: [], filled: [] };
let bytes = 0;
session.on('Network.loadingFinished', (event) => {
  bytes += event.encodedDataLength;
});
await session.send('Network.enable');
// Once to warm the browser up; it does not count.
for (let load = 0; load <= loads; load += 1) {
  bytes = 0;
  await page.goto('about:blank');
  await page.goto(`${api}/ui/`);
  await page.locator('main h1').first().waitFor();
  await page.waitForFunction(() => !document.querySelector('main').innerText.includes('Asking the manager'));
  const times = await page.evaluate(() => {
    const of = (name) => performance.getEntriesByName(name)[0]?.startTime ?? NaN;
    return { paint: of('first-paint'), content: of('first-contentful-paint'), now: performance.now() };
  });
  if (load === 0) continue;
  figures.firstPaint.push(times.paint);
  figures.firstContentfulPaint.push(times.content);
  figures.filled.push(times.now);
}
await browser.close();
const at = (list, share) => Number([...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))].toFixed(1));
const shown = Object.entries(figures).map(([name, list]) => [name, { p50: at(list, 0.5), p99: at(list, 0.99) }]);
console.log(JSON.stringify({ loads, bytes, ...Object.fromEntries(shown) }));
