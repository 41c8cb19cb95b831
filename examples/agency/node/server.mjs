// One worker of the sending service.
import Fastify from 'fastify';
import { answer } from './answers.mjs';
import { sending } from './sending.mjs';
import { strangers } from './strangers.mjs';

export async function serve(port) {
  // A number is a number: `null` is no 0, and "1" is no 1.
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false } } });
  app.setErrorHandler(answer);
  sending(app);
  strangers(app);
  app.get('/health', async () => ({ worker: process.pid }));
  await app.listen({ port, host: '127.0.0.1' });
}
