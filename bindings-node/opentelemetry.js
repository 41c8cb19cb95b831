// The statistics of an engine for OpenTelemetry, with `@opentelemetry/api`. Types and
// documentation: `opentelemetry.d.ts`.
'use strict';

const { metrics } = require('@opentelemetry/api');
const { version } = require('./package.json');
const { metricText } = require('./sublet.node');

/** Returns the cumulative counts of the buckets. */
function buckets({ decisions, bounds_us: bounds }) {
  return decisions.flatMap(({ action, code, buckets: counts }) => {
    let total = 0;
    return counts.map((count, at) => [(total += count), { action, code, le: at < bounds.length ? String(bounds[at]) : '+Inf' }]);
  });
}

/** The counters: name, unit, and the function that reads them. */
const COUNTERS = [
  ['sublet.decisions', '{decision}', (stats) => stats.decisions.map(({ action, code, count }) => [count, { action, code }])],
  ['sublet.decision.time', 'us', (stats) => stats.decisions.map(({ action, code, sum_us: sum }) => [sum, { action, code }])],
  ['sublet.decision.buckets', '{decision}', buckets],
  ['sublet.errors', '{error}', (stats) => stats.errors.map(({ verb, code, count }) => [count, { verb, code }])],
  ['sublet.reloads', '{reload}', (stats) => [[stats.reloads, {}]]],
  ['sublet.changes', '{change}', (stats) => [[stats.changes, {}]]],
  ['sublet.log.events', '{event}', (stats) => Object.entries(stats.events).map(([outcome, count]) => [count, { outcome }])],
];

function instrument(engine, meter = metrics.getMeter('sublet', version)) {
  engine.enableMetrics();
  for (const [name, unit, read] of COUNTERS) {
    const counter = meter.createObservableCounter(name, { unit, description: metricText(name) });
    counter.addCallback((result) => read(engine.metrics()).forEach(([value, attributes]) => result.observe(value, attributes)));
  }
}

module.exports = { instrument };
