// Pictures of every view, light and dark, wide and narrow: node e2e/shots.mjs, with QKDNM_API and perhaps CHROMIUM set.

import { mkdirSync } from 'node:fs';
import { launch, watched } from './browser.mjs';
import { serve } from './server.mjs';

const api = process.env.QKDNM_API ?? 'http://127.0.0.1:7100';
const folder = new URL('../shots/', import.meta.url).pathname;
mkdirSync(folder, { recursive: true });
const only = process.argv[2];

const server = await serve(api);
const browser = await launch();
const views = {
  overview: '#/',
  alarms: '#/alarms?state=all',
  alarm: '#/alarms?state=all&id=1',
  topology: '#/topology',
  components: '#/components',
  module: '#/components/mq/evere-qkd-brussels?span=15m',
  'key-manager': '#/components/mk/arlon-km?span=15m',
  plugins: '#/plugins',
};
for (const scheme of ['light', 'dark']) {
  for (const [width, height] of [[1280, 800], [390, 844]]) {
    const { page, faults } = await watched(browser.context, { width, height, scheme });
    for (const [name, hash] of Object.entries(views)) {
      if (only !== undefined && !name.startsWith(only)) continue;
      await page.goto(server.url + hash);
      await page.waitForTimeout(2_500);
      await page.screenshot({ path: `${folder}${name}-${scheme}-${width}.png`, fullPage: width === 390 });
    }
    if (faults.length > 0) console.log(scheme, width, [...new Set(faults)]);
    await page.close();
  }
}
await browser.close();
await server.close();
