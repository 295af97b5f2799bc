// For tests: the manager that the dashboard is shown with. QKDNM_API names one that runs; else QKDNM_BIN names a binary,
// whose demonstration is started and ended again.

import { spawn } from 'node:child_process';

export async function manager() {
  const running = process.env.QKDNM_API;
  if (running !== undefined) return { api: running, stop: () => {} };
  const binary = process.env.QKDNM_BIN;
  if (binary === undefined) throw new Error('set QKDNM_API to the address of a manager, or QKDNM_BIN to a binary with `demo`');
  const child = spawn(binary, ['demo'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const api = await new Promise((found, failed) => {
    let text = '';
    child.stdout.on('data', (piece) => {
      text += piece;
      const match = text.match(/https?:\/\/[\w.:[\]]+(?=\/api\/)/);
      if (match !== null) found(match[0]);
    });
    child.on('exit', (code) => failed(new Error(`the demonstration ended with ${code}`)));
  });
  return { api, stop: () => child.kill('SIGINT') };
}
