// Writes dist/sources.sha256: a digest of what dist/ was built from, so that a test without Node.js can tell whether it is in step.
// The digest is of the lines `<sha256 of the file>  <path>`, sorted by path.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = new URL('../', import.meta.url).pathname;
const named = ['index.html', 'package-lock.json', 'package.json', 'svelte.config.js', 'tsconfig.json', 'vite.config.ts'];

function* walk(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* walk(path);
    else yield relative(root, path);
  }
}

const sha256 = (content) => createHash('sha256').update(content).digest('hex');
const paths = [...named, ...walk(join(root, 'src'))].sort();
const lines = paths.map((path) => `${sha256(readFileSync(join(root, path)))}  ${path}\n`);
writeFileSync(join(root, 'dist', 'sources.sha256'), `${sha256(lines.join(''))}\n`);
