// Builds the addon with the workspace's profile, and copies it to where `index.js` finds it. It passes
// no `--target` and no flags, so that Cedar is not compiled a second time. With `--bench` it builds the
// addon with the empty calls of the benchmark instead, into `target/sublet-bench.node`.
'use strict';

const { execFileSync } = require('node:child_process');
const { copyFileSync, renameSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const isBench = process.argv.includes('--bench');
const options = { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] };
const features = isBench ? ['--features', 'bench'] : [];
execFileSync('cargo', ['build', '--release', '--locked', '--quiet', '-p', 'sublet-node', ...features], options);
const metadata = execFileSync('cargo', ['metadata', '--format-version', '1', '--no-deps'], { cwd: root, maxBuffer: 1 << 26 });
const target = JSON.parse(metadata).target_directory;
const name = { darwin: 'libsublet_node.dylib', win32: 'sublet_node.dll' }[process.platform] ?? 'libsublet_node.so';
// Copied to another name first, because a process may have the old addon mapped.
const built = isBench ? path.join(root, 'target', 'sublet-bench.node') : path.join(__dirname, 'sublet.node');
copyFileSync(path.join(target, 'release', name), `${built}.new`);
renameSync(`${built}.new`, built);
