// How answers become HTTP: a refusal is 403 with its code, an error is JSON with its code.
import { SubletError } from 'sublet';

/** The status of each family of errors. What is missing here is our fault: 500. */
const status = { input: 400, directory: 409, billing: 409, quota: 409, store: 503 };

/** No, and why. */
export class Refused extends Error {
  constructor(code, status = 403) {
    super(code);
    this.code = code;
    this.status = status;
  }
}

/** The decision, if it is yes. */
export function allowed(decision) {
  if (!decision.allowed) throw new Refused(decision.code);
  return decision;
}

/** For Fastify's `setErrorHandler`. */
export function answer(error, _request, reply) {
  if (error instanceof Refused) return reply.code(error.status).send({ code: error.code });
  if (error instanceof SubletError) {
    const found = error.code.includes('.unknown_') ? 404 : (status[error.family] ?? 500);
    return reply.code(found).send({ error: error.code, message: error.message, help: error.help });
  }
  // Fastify's own: a body that is no JSON, or is not what the route's schema says.
  return reply.code(error.statusCode ?? 500).send({ error: 'http', message: error.statusCode < 500 ? error.message : 'see the log' });
}
