// The dashboard in a real browser, before a real manager: QKDNM_API or QKDNM_BIN (see manager.mjs), CHROMIUM.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, afterEach, before, describe, test } from 'node:test';
import { launch, watched } from './browser.mjs';
import { manager } from './manager.mjs';
import { serve } from './server.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const VIEWS = {
  Overview: '#/',
  Alarms: '#/alarms?state=all',
  Topology: '#/topology',
  Components: '#/components',
  'mq/evere-qkd-brussels': '#/components/mq/evere-qkd-brussels?span=5m',
  'mk/arlon-km': '#/components/mk/arlon-km',
  Plugins: '#/plugins',
};

let upstream;
let server;
let browser;
const pages = [];

before(async () => {
  upstream = await manager();
  server = await serve(upstream.api);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.close();
  upstream?.stop();
});
/** Closes what is open: a browser opens few connections to one host, and each page has one for events. */
async function done() {
  for (const { page, faults } of pages.splice(0)) {
    await page.close();
    assert.deepEqual([...new Set(faults)], []);
  }
}
afterEach(async () => {
  Object.assign(server.control, { gone: false, stream: false });
  server.control.instead.clear();
  server.control.endStreams();
  await done();
});

async function open(hash, options) {
  const watch = await watched(browser.context, options);
  pages.push(watch);
  await watch.page.goto(server.url + hash);
  return watch.page;
}

const connection = (page) => page.locator('header [role=status]').first();
const get = async (path) => (await fetch(`${upstream.api}/api/v1/${path}`)).json();

const ALARM = {
  id: 900001,
  component: 'mq/evere-qkd-brussels',
  resource: '',
  alarmTypeId: 'test-alarm',
  alarmTypeQualifier: '',
  isCleared: false,
  severity: 'critical',
  text: 'something is wrong',
  eventType: 'equipment',
  probableCause: 'equipment-malfunction',
  observed: null,
  threshold: null,
  repairActions: ['Look at it.', 'Mend it.'],
  additionalInformation: [{ name: 'QBER before', value: '3 %' }],
  raisedBy: 'component',
  timeCreated: '2026-11-26T08:00:00Z',
  lastRaised: '2026-11-26T08:00:00Z',
  lastChanged: '2026-11-26T08:00:00Z',
  raiseCount: 1,
  operatorState: 'none',
  statusChanges: [{ time: '2026-11-26T08:00:00Z', severity: 'critical', text: 'something is wrong' }],
  operatorActions: [],
};
const alarms = (...items) => [200, { items, next: null }];

describe('every view', () => {
  for (const scheme of ['light', 'dark']) {
    for (const [width, height] of [[1280, 800], [390, 844]]) {
      test(`is whole and accessible, ${scheme}, ${width} px`, async () => {
        for (const [name, hash] of Object.entries(VIEWS)) {
          const page = await open(hash, { width, height, scheme });
          await page.locator('main h1').first().waitFor();
          await page.waitForFunction(() => !document.querySelector('main').innerText.includes('Asking the manager'));
          await page.waitForTimeout(600);
          assert.match(await page.title(), new RegExp(name));
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
          await page.evaluate(axe);
          const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
          const found = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`);
          assert.deepEqual(found, [], name);
          await done();
        }
      });
    }
  }
});

test('an alarm of the network appears, and tells what it is', { timeout: 60_000 }, async () => {
  const page = await open('#/');
  await page.getByRole('heading', { level: 1, name: /attention/ }).waitFor({ timeout: 45_000 });
  assert.match(await page.title(), /^\(\d+\) /);
  await page.locator('article a[href*="id="]').first().click();
  await page.getByRole('heading', { name: 'What to do' }).waitFor();
  await page.waitForURL(/#\/alarms\?id=\d+/, { timeout: 2_000 });
  await page.getByRole('heading', { name: 'History' }).waitFor();
});

test('a component shows its values with units, limits and history', async () => {
  const page = await open('#/components/mq/evere-qkd-brussels?span=5m');
  await page.locator('canvas').nth(3).waitFor();
  const qber = page.getByRole('region', { name: 'qber_ratio' });
  assert.match(await qber.innerText(), /%\)/);
  assert.match(await qber.locator('[role=img]').getAttribute('aria-label'), /^qber_ratio, 5 min: 0\.\d+/);
  const painted = await qber.locator('canvas').evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.some((byte) => byte > 0);
  });
  assert.ok(painted, 'nothing is painted');
  await page.getByRole('button', { name: '1 h', exact: true }).click();
  await page.getByRole('button', { name: '24 h' }).click();
  await page.waitForURL(/span=24h/, { timeout: 2_000 });
  await page.getByRole('row', { name: /operational_state/ }).getByText('enabled').waitFor();
  await page.getByRole('row', { name: /link_id/ }).getByText('evere-brussels').waitFor();
});

test('the topology brings Cytoscape only when it is looked at', async () => {
  const page = await open('#/');
  const loaded = () => page.evaluate(() => performance.getEntriesByType('resource').filter((entry) => /Graph-/.test(entry.name)).length);
  await page.getByRole('heading', { name: 'By reference point' }).waitFor();
  assert.equal(await loaded(), 0);
  await page.getByRole('link', { name: 'Topology' }).click();
  await page.locator('canvas').first().waitFor();
  assert.ok((await loaded()) > 0);
  await page.getByRole('button', { name: 'evere-brussels' }).click();
  await page.waitForURL(/id=link/, { timeout: 2_000 });
  await page.getByRole('region', { name: 'What is chosen' }).getByRole('link', { name: 'mops/evere-brussels-fibre' }).waitFor();
});

test('filters stand in the address and survive a reload', async () => {
  const page = await open('#/alarms');
  await page.getByRole('combobox', { name: 'State' }).selectOption('all');
  await page.getByLabel('Severity').selectOption('minor');
  await page.getByLabel('Function').selectOption('performance');
  await page.getByLabel('Text').fill('qber');
  await page.waitForURL(/state=all&severity=minor&function=performance&text=qber/, { timeout: 2_000 });
  await page.reload();
  await page.getByRole('table').waitFor();
  assert.equal(await page.getByRole('combobox', { name: 'State' }).inputValue(), 'all');
  assert.equal(await page.getByLabel('Text').inputValue(), 'qber');
  await page.getByRole('button', { name: 'Reset' }).click();
  await page.waitForURL(/#\/alarms$/, { timeout: 2_000 });
});

test('keys go through the table', async () => {
  server.control.instead.set('/api/v1/alarms', alarms(ALARM, { ...ALARM, id: 900000, severity: 'minor' }));
  const page = await open('#/alarms');
  await page.getByRole('row').nth(2).waitFor();
  await page.keyboard.press('j');
  await page.waitForURL(/id=900001/, { timeout: 2_000 });
  await page.keyboard.press('j');
  await page.waitForURL(/id=900000/, { timeout: 2_000 });
  await page.keyboard.press('j');
  await page.waitForURL(/id=900000/, { timeout: 2_000 });
  await page.keyboard.press('k');
  await page.waitForURL(/id=900001/, { timeout: 2_000 });
  await page.getByText('Mend it.').waitFor();
  await page.getByText('QBER before').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('jk');
  assert.equal(await page.getByLabel('Text').inputValue(), 'jk');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.waitForURL((url) => !url.hash.includes('id='), { timeout: 2_000 });
});

test('texts from the network stay texts, and long ones stay within the page', async () => {
  const bad = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  const long = 'x'.repeat(600);
  const alarm = { ...ALARM, text: bad + long, alarmTypeId: long, repairActions: [bad + long], additionalInformation: [{ name: bad, value: long }] };
  server.control.instead.set('/api/v1/alarms', alarms(alarm));
  for (const width of [1280, 390]) {
    for (const hash of ['#/', '#/alarms?id=900001']) {
      const page = await open(hash, { width });
      await page.getByText('<img src=x').first().waitFor();
      assert.equal(await page.locator('main img, main script').count(), 0);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, `${hash} at ${width}`);
    }
  }
});

describe('the connection', () => {
  test('polls where the manager has no events', async () => {
    server.control.instead.set('/api/v1/events', [404, { status: 404, title: 'Not found', detail: 'no' }]);
    const page = await open('#/');
    await connection(page).getByText('polling').waitFor();
    server.control.asked.length = 0;
    await page.waitForTimeout(6_000);
    assert.ok(server.control.asked.includes('/api/v1/health'));
    assert.ok(!server.control.asked.includes('/api/v1/events'), 'asks for events too often');
  });

  test('is live where it has, and asks only for what changed', async () => {
    server.control.stream = true;
    server.control.instead.set('/api/v1/alarms', alarms());
    const page = await open('#/alarms');
    await connection(page).getByText('live').waitFor();
    await page.getByText('No alarm is raised.').waitFor();
    await page.waitForTimeout(1_500);
    server.control.asked.length = 0;
    server.control.send('alarm', ALARM, '1.0.0');
    await page.getByRole('button', { name: 'test-alarm' }).waitFor({ timeout: 2_000 });
    assert.ok(!server.control.asked.some((path) => path.startsWith('/api/v1/alarms')), 'asks for what it was told');
    server.control.instead.set('/api/v1/alarms/900001', [200, { ...ALARM, isCleared: true }]);
    server.control.send('alarm', { component: 'mq/evere-qkd-brussels', id: 900001 }, '1.0.1');
    await page.getByText('No alarm is raised.').waitFor({ timeout: 2_000 });
    assert.ok(server.control.asked.includes('/api/v1/alarms/900001'));
    assert.ok(!server.control.asked.includes('/api/v1/alarms'), 'asks for the whole list');
    server.control.instead.set('/api/v1/alarms', alarms(ALARM));
    server.control.send('resync', {}, '1.0.2');
    await page.getByRole('button', { name: 'test-alarm' }).waitFor({ timeout: 2_000 });
  });

  test('goes on where the stream broke', async () => {
    server.control.stream = true;
    const page = await open('#/');
    await connection(page).getByText('live').waitFor();
    server.control.send('components', { components: ['mq/evere-qkd-brussels'], more: 0, reports: 1 }, '7.0.1');
    await page.waitForTimeout(200);
    const again = page.waitForRequest((request) => request.url().endsWith('/events'));
    server.control.endStreams();
    await connection(page).getByText('polling').waitFor();
    assert.equal((await again).headers()['last-event-id'], '7.0.1');
    await connection(page).getByText('live').waitFor();
  });

  test('is let go of by a page that nobody sees, and taken up again', async () => {
    server.control.stream = true;
    const page = await open('#/');
    await connection(page).getByText('live').waitFor();
    server.control.send('components', { components: [], more: 0, reports: 0 }, '8.0.1');
    const hide = (hidden) =>
      page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    await hide(true);
    for (let waited = 0; server.control.listeners() > 0; waited += 1) {
      assert.ok(waited < 15, 'the stream stays open');
      await page.waitForTimeout(1_000);
    }
    await page.waitForTimeout(1_500);
    assert.equal(server.control.listeners(), 0);
    const again = page.waitForRequest((request) => request.url().endsWith('/events'));
    await hide(false);
    assert.equal((await again).headers()['last-event-id'], '8.0.1');
    await connection(page).getByText('live').waitFor();
  });

  test('says since when there is no answer, and what is shown stays', async () => {
    const page = await open('#/');
    await page.getByRole('heading', { name: 'By reference point' }).waitFor();
    await connection(page).getByText(/polling|live/).waitFor();
    server.control.gone = true;
    server.control.endStreams();
    await connection(page).getByText(/^\s*✖?\s*no answer since \d\d:\d\d:\d\d$/).waitFor({ timeout: 15_000 });
    await page.getByText('Not up to date.').waitFor();
    await page.getByRole('row', { name: /Mq QKD module/ }).waitFor();
    server.control.gone = false;
    await connection(page).getByText(/polling|live/).waitFor({ timeout: 15_000 });
    await page.getByText('Not up to date.').waitFor({ state: 'detached' });
  });

  test('says that a token is wanted', async () => {
    const refusal = [401, { status: 401, title: 'Not authorised', detail: 'reading needs a token' }];
    for (const path of ['health', 'alarms', 'components', 'policies', 'events', 'values']) server.control.instead.set(`/api/v1/${path}`, refusal);
    const page = await open('#/');
    await connection(page).getByText('not allowed').waitFor();
    await page.getByText('reading needs a token').waitFor();
  });
});

test('is the same where the manager itself serves it', async (context) => {
  if (!(await fetch(`${upstream.api}/ui/`)).ok) return context.skip('this manager serves no dashboard');
  const watch = await watched(browser.context);
  pages.push(watch);
  for (const [name, hash] of Object.entries(VIEWS)) {
    await watch.page.goto(`${upstream.api}/ui/${hash}`);
    await watch.page.waitForFunction((title) => document.title.includes(title), name);
    await watch.page.waitForTimeout(500);
  }
});

test('light and dark can be chosen, and the choice stays', async () => {
  const page = await open('#/', { scheme: 'light' });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  const button = page.getByRole('button', { name: /^Colours/ });
  await button.click();
  assert.equal(await ground(), light);
  await button.click();
  assert.notEqual(await ground(), light);
  await page.reload();
  await page.getByRole('button', { name: /^Colours: dark/ }).waitFor();
  assert.notEqual(await ground(), light);
  await button.click();
  assert.equal(await ground(), light);
});

test('a component that nobody knows is said to be unknown', async () => {
  const page = await open('#/components/mk/nobody');
  await page.getByText('knows no component `mk/nobody`').waitFor();
});

test('a large network is shown', async () => {
  const first = (await get('components')).items[0];
  const many = Array.from({ length: 3_000 }, (_, n) => ({ ...first, component: `mq/m-${n}`, id: `m-${n}`, connectionCount: n % 7 === 0 ? 0 : 1, worstAlarm: n % 50 === 0 ? 'minor' : null, raisedAlarms: n % 50 === 0 ? 1 : 0 }));
  const raised = Array.from({ length: 500 }, (_, n) => ({ ...ALARM, id: 500 - n, component: `mq/m-${n}` }));
  const nodes = Array.from({ length: 60 }, (_, n) => ({ component: 'mc/controller', kind: 'node', name: `n-${n}`, value: { id: `n-${n}` }, since: ALARM.lastRaised, changed: ALARM.lastRaised, time: ALARM.lastRaised }));
  const links = nodes.slice(1).map((node, n) => ({ ...node, kind: 'link', name: `l-${n}`, value: { a: `n-${n}`, b: `n-${(n * 7 + 3) % 60}`, state: n % 9 === 0 ? 'down' : 'up' } }));
  server.control.instead.set('/api/v1/components', [200, { items: many, next: null }]);
  server.control.instead.set('/api/v1/alarms', alarms(...raised));
  server.control.instead.set('/api/v1/topology', [200, { items: [...nodes, ...links], next: null }]);
  for (const hash of ['#/', '#/alarms', '#/components', '#/topology']) {
    const started = performance.now();
    const page = await open(hash);
    await page.getByText(hash === '#/' ? '500 alarms need attention' : hash === '#/alarms' ? /^\s*500 alarms/ : hash === '#/components' ? /of 3000/ : 'l-58').first().waitFor({ timeout: 10_000 });
    assert.ok(performance.now() - started < 8_000, `${hash} took ${performance.now() - started} ms`);
  }
});
