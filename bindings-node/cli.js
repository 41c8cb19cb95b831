#!/usr/bin/env node
// The `sublet` command: `npx sublet check policies/`.
'use strict';

const { command } = require('./index.js');

process.exitCode = command(['sublet', ...process.argv.slice(2)]);
