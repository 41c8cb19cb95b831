// The statistics of an engine for Prometheus, with `prom-client`. Types and documentation: `prometheus.d.ts`.
'use strict';

const { register } = require('prom-client');
const { metricText } = require('./sublet.node');

const MICRO = 1e-6;

/** Returns the samples of one series of a histogram. */
function histogram(name, bounds, { action, code, count, sum_us: sum, buckets }) {
  let total = 0;
  const samples = buckets.map((each, at) => {
    total += each;
    return { metricName: `${name}_bucket`, labels: { le: at < bounds.length ? bounds[at] * MICRO : '+Inf', action, code }, value: total };
  });
  samples.push({ metricName: `${name}_sum`, labels: { action, code }, value: sum * MICRO });
  samples.push({ metricName: `${name}_count`, labels: { action, code }, value: count });
  return samples;
}

/** The metrics: name, type, and the function that reads them. */
const METRICS = [
  ['sublet_decision_seconds', 'histogram', (stats, name) => stats.decisions.flatMap((series) => histogram(name, stats.bounds_us, series))],
  ['sublet_errors_total', 'counter', (stats) => stats.errors.map(({ verb, code, count }) => ({ labels: { verb, code }, value: count }))],
  ['sublet_reloads_total', 'counter', (stats) => [{ labels: {}, value: stats.reloads }]],
  ['sublet_changes_total', 'counter', (stats) => [{ labels: {}, value: stats.changes }]],
  ['sublet_log_events_total', 'counter', (stats) => Object.entries(stats.events).map(([outcome, value]) => ({ labels: { outcome }, value }))],
];

function collect(engine, registry = register) {
  engine.enableMetrics();
  for (const [name, type, read] of METRICS) {
    const metric = { name, help: metricText(name), type, aggregator: 'sum' };
    registry.registerMetric({ ...metric, get: async () => ({ ...metric, values: read(engine.metrics(), name) }), reset() {} });
  }
}

module.exports = { collect };
