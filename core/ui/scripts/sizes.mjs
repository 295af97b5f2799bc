// Writes dist/sizes.json: every file with its size, raw and gzip, and what a first visit loads. Fails above the limit.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';

const dist = new URL('../dist/', import.meta.url).pathname;
const limit = 120_000;
const own = ['sizes.json', 'sources.sha256'];

function* walk(folder) {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* walk(path);
    else if (!own.includes(relative(dist, path))) yield path;
  }
}

const files = {};
const total = { bytes: 0, gzip: 0 };
for (const path of walk(dist)) {
  const content = readFileSync(path);
  const size = { bytes: content.length, gzip: gzipSync(content, { level: 9 }).length };
  files[relative(dist, path)] = size;
  total.bytes += size.bytes;
  total.gzip += size.gzip;
}

// What index.html names, and what that imports without being asked.
const first = new Set(['index.html']);
const named = (text) => [...text.matchAll(/["']\.\/(assets\/)?([\w.-]+\.(?:js|css|svg))["']/g)].map((m) => `assets/${m[2]}`);
const follow = (name) => {
  if (!(name in files) || first.has(name)) return;
  first.add(name);
  if (!name.endsWith('.js')) return;
  const text = readFileSync(join(dist, name), 'utf8');
  for (const m of text.matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/g)) follow(`assets/${m[1]}`);
};
for (const name of named(readFileSync(join(dist, 'index.html'), 'utf8'))) follow(name);
const firstLoad = { files: [...first].sort(), gzip: [...first].reduce((sum, name) => sum + files[name].gzip, 0) };

writeFileSync(join(dist, own[0]), `${JSON.stringify({ firstLoad, total, files }, null, 2)}\n`);
console.log(`first load ${(firstLoad.gzip / 1000).toFixed(1)} kB gzip, all ${(total.gzip / 1000).toFixed(1)} kB gzip`);
if (firstLoad.gzip > limit) {
  console.error(`the first load is above ${limit / 1000} kB gzip`);
  process.exit(1);
}
