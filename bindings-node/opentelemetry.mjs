import found from './opentelemetry.js';

export const { instrument } = found;
