// Options of an engine as JSON text.
'use strict';

const { fileURLToPath } = require('node:url');
const { clock } = require('./clock.js');
const { entries, json, string } = require('./convert.js');
const { reading, refused } = require('./errors.js');

const CEDAR = ['policies', 'schema', 'links', 'entities'];

/** Converts text unchanged, and any other value as JSON. */
function textOrJson(what, value) {
  return typeof value === 'string' ? string(what, value) : JSON.stringify(json(what, value, 4096));
}

function folder(source) {
  if (source.protocol !== 'file:') throw refused('policies', 'file_url');
  return string('policies', fileURLToPath(source));
}

/** Converts the place of the policies. */
function source(given) {
  if (given === undefined || given === null) return [];
  if (typeof given === 'string') return [`"folder":${string('policies', given)}`];
  if (given instanceof URL) return [`"folder":${folder(given)}`];
  const files = entries('policies', given).map(([name, text]) => `[${string('policies', name)},${string('policies', text)}]`);
  return [`"files":[${files.join(',')}]`];
}

/** Converts a plain Cedar program; returns its parts and the other fields. */
function cedar(given) {
  const fields = new Map(entries('program', given));
  const parts = [];
  for (const name of CEDAR) {
    const value = fields.get(name);
    fields.delete(name);
    if (value !== undefined && value !== null) parts.push(`"${name}":${textOrJson(name, value)}`);
  }
  const validate = fields.get('validateRequests');
  fields.delete('validateRequests');
  if (validate !== undefined && validate !== null) {
    if (typeof validate !== 'boolean') throw refused('validateRequests', 'boolean');
    parts.push(`"validateRequests":${validate}`);
  }
  return [[`"cedar":{${parts.join(',')}}`], [...fields]];
}

/** Returns the text of policies and options, and the clock. */
function withOptions(parts, options) {
  let time;
  for (const [key, value] of options) {
    switch (key) {
      case 'clock':
        time = clock(value);
        break;
      case 'store':
      case 'validation':
        parts.push(`"${key}":${string(key, value)}`);
        break;
      case 'caps':
        parts.push(`"caps":${json('caps', value)}`);
        break;
      default:
        throw refused('options', 'unknown_option', key);
    }
  }
  return { text: `{${parts.join(',')}}`, time };
}

/** Converts the arguments of `Engine.open`. */
const openOptions = (policies, more = {}) => reading(() => withOptions(source(policies), entries('options', more)));
/** Converts the argument of `Engine.cedar`. */
const cedarOptions = (given) => reading(() => withOptions(...cedar(given)));
/** Convert the arguments of `reload` and of `reloadCedar`. */
const reloadOptions = (policies) => reading(() => `{${source(policies).join(',')}}`);
const reloadCedarOptions = (given) => cedarOptions(given).text;

module.exports = { cedarOptions, openOptions, reloadCedarOptions, reloadOptions };
