// The sending service: so many workers on one port, and another one for each that dies. `node main.mjs`
import cluster from 'node:cluster';

// Each worker takes connections itself. Handed out by the primary, a connection that is on its way to a worker that dies would hang.
cluster.schedulingPolicy = cluster.SCHED_NONE;

if (cluster.isPrimary) {
  for (let nth = 0; nth < Number(process.env.AGENCY_WORKERS ?? 2); nth += 1) cluster.fork();
  let ending = false;
  cluster.on('exit', () => ending || cluster.fork());
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => {
    ending = true;
    cluster.disconnect(() => process.exit(0));
  });
} else {
  // Imported here, so that the primary opens no store.
  const { serve } = await import('./server.mjs');
  await serve(Number(process.env.AGENCY_MAILER_PORT ?? 8001));
}
