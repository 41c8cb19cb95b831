// The statistics of an engine for OpenTelemetry, with `@opentelemetry/api`. Types and
// documentation: `opentelemetry.d.ts`.
'use strict';

const { metrics } = require('@opentelemetry/api');
const { version } = require('./package.json');

/** Returns the cumulative counts of the buckets. */
function buckets({ decisions, bounds_us: bounds }) {
  return decisions.flatMap(({ action, code, buckets: counts }) => {
    let total = 0;
    return counts.map((count, at) => [(total += count), { action, code, le: at < bounds.length ? String(bounds[at]) : '+Inf' }]);
  });
}

const COUNTERS = [
  ['sublet.decisions', '{decision}', 'Answers.', (stats) => stats.decisions.map(({ action, code, count }) => [count, { action, code }])],
  ['sublet.decision.time', 'us', 'How long the answers took together.', (stats) => stats.decisions.map(({ action, code, sum_us: sum }) => [sum, { action, code }])],
  ['sublet.decision.buckets', '{decision}', 'Answers that took at most so long.', buckets],
  ['sublet.errors', '{error}', 'Verbs that gave an error.', (stats) => stats.errors.map(({ verb, code, count }) => [count, { verb, code }])],
  ['sublet.reloads', '{reload}', 'Swaps of the policies.', (stats) => [[stats.reloads, {}]]],
  ['sublet.changes', '{change}', 'Changes of the directory.', (stats) => [[stats.changes, {}]]],
  ['sublet.log.events', '{event}', 'Events of all logs.', (stats) => Object.entries(stats.events).map(([outcome, count]) => [count, { outcome }])],
];

function instrument(engine, meter = metrics.getMeter('sublet', version)) {
  engine.enableMetrics();
  for (const [name, unit, description, read] of COUNTERS) {
    const counter = meter.createObservableCounter(name, { unit, description });
    counter.addCallback((result) => read(engine.metrics()).forEach(([value, attributes]) => result.observe(value, attributes)));
  }
}

module.exports = { instrument };
