// A process that is stopped while it holds the write lock of a store. It debits long batches in a
// loop, and is stopped repeatedly until it is inside a transaction.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath, pathToFileURL } from 'node:url';
import path from 'node:path';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const ADDON = path.join(ROOT, 'bindings-node/index.js');
export const SUBLET = pathToFileURL(path.join(ROOT, 'bindings-node/index.mjs')).href;
export const HOST = 'dash.marketingmaster.example';
export const SEND = [['Account', 'acme'], 'campaign.send', ['Campaign', 'k', 'acme']];

const PROGRAM = `
  import { Engine, ManualClock } from ${JSON.stringify(SUBLET)};
  const [, store, instant] = process.argv;
  const engine = await Engine.openAsync(undefined, { store, clock: instant ? new ManualClock(instant) : undefined });
  const [principal, action, resource] = ${JSON.stringify(SEND)};
  const list = Array.from({ length: 2000 }, () => ({ principal, action, resource, host: ${JSON.stringify(HOST)}, amount: 0 }));
  console.log('ready');
  for (;;) await engine.batchAsync(list);`;

const pause = (time) => new Promise((resolve) => { setTimeout(resolve, time); });

/**
 * Stops a process inside its transaction; `engine` is another engine of the same store. The process
 * uses the system clock, or a manual clock at `instant`. Returns functions that resume and end the
 * process.
 */
export async function stoppedHolder(engine, store, instant = '') {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, '--', store, instant], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const resume = () => child.kill('SIGCONT');
  const end = async () => {
    resume();
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  for (let tries = 0; tries < 300; tries += 1) {
    child.kill('SIGSTOP');
    const asked = engine.consumeAsync(...SEND, 1, { host: HOST }).then(() => true, () => true);
    if (!(await Promise.race([asked, pause(250).then(() => false)]))) return { resume, end, asked };
    resume();
    await pause(Math.random() * 20);
  }
  await end();
  throw new Error('the holder was never caught inside its transaction');
}
