// SPDX-License-Identifier: MIT
//
// The server of `mend serve` as programs meet it: who is let in, what is refused, the metrics and
// the profile as their readers see them, and how it ends.
//
// usage: node server.mjs MEND TARGET SCRATCH
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { Server, Target, rest, until } from './processes.mjs';

const [mend, program, folder] = process.argv.slice(2);

// With any Host, method and path, which fetch does not let one choose.
function raw(server, { method = 'GET', path = '/', headers = {}, body = '' }) {
  return new Promise((done, fail) => {
    const request = http.request({ host: '127.0.0.1', port: server.url.port, method, path,
                                   headers: { Host: server.url.host, ...headers } }, answer => {
      let text = '';
      answer.on('data', data => { text += data; });
      answer.on('end', () => done({ status: answer.statusCode, headers: answer.headers, text }));
    });
    request.on('error', fail);
    request.end(body);
  });
}

const bearer = server => ({ Authorization: `Bearer ${server.token}` });

async function checkToken(server) {
  const other = server.token.replace(/.$/, last => (last === '0' ? '1' : '0'));
  assert.match(server.token, /^[0-9a-f]{32}$/);
  for (const path of ['/', '/page.js', '/api/state', '/metrics', '/debug/pprof/heap', '/nothing']) {
    for (const token of [null, '', other, server.token.slice(1), `${server.token}0`, other.toUpperCase()]) {
      const query = token === null ? '' : `?token=${token}`;
      const answer = await raw(server, { path: path + query });
      assert.equal(answer.status, 403, `${path}${query}`);
      assert.ok(!answer.text.includes(server.token) && !answer.headers['set-cookie']);
    }
    assert.equal((await raw(server, { path, headers: { Authorization: `Bearer ${other}` } })).status, 403);
    assert.equal((await raw(server, { path, headers: { Cookie: `mend_${server.url.port}=${other}` } })).status, 403);
  }
  for (let i = 0; i < server.token.length; i++) {
    for (const digit of ['0', '1', 'f'].filter(one => one !== server.token[i])) {
      const near = server.token.slice(0, i) + digit + server.token.slice(i + 1);
      assert.equal((await raw(server, { path: `/metrics?token=${near}` })).status, 403, `digit ${i}`);
    }
  }
  const first = await raw(server, { path: `/?token=${server.token}` });
  assert.equal(first.status, 303);
  assert.equal(first.headers.location, '/');
  const [cookie] = first.headers['set-cookie'];
  assert.equal(cookie, `mend_${server.url.port}=${server.token}; Path=/; HttpOnly; SameSite=Strict`);
  const second = await raw(server, { headers: { Cookie: cookie.split(';')[0] } });
  assert.equal(second.status, 200);
  assert.match(second.text, /<!doctype html>/);
  assert.equal((await raw(server, { path: `/metrics?token=${server.token}` })).status, 200);
}

async function checkNames(server) {
  const { port } = server.url;
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`]) {
    assert.equal((await raw(server, { headers: { ...bearer(server), Host: host } })).status, 200, host);
  }
  for (const host of ['example.org', `example.org:${port}`, `127.0.0.1.example.org:${port}`, '127.0.0.1',
                      `127.0.0.1:${Number(port) + 1}`, `localhost.example.org:${port}`, `0.0.0.0:${port}`]) {
    const answer = await raw(server, { headers: { ...bearer(server), Host: host } });
    assert.equal(answer.status, 403, host);
  }
  // Nothing listens but on 127.0.0.1.
  const hex = Number(port).toString(16).toUpperCase().padStart(4, '0');
  const listening = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(path => readFileSync(path, 'utf8').split('\n'))
    .map(line => line.trim().split(/\s+/)).filter(words => words[3] === '0A' && words[1].endsWith(`:${hex}`));
  assert.deepEqual(listening.map(words => words[1]), [`0100007F:${hex}`]);
}

async function checkBounds(server) {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    assert.equal((await raw(server, { method, headers: bearer(server), body: method === 'POST' ? 'x' : '' })).status,
                 405, method);
  }
  const head = await raw(server, { method: 'HEAD', headers: bearer(server) });
  assert.deepEqual([head.status, head.text], [200, '']);
  const long = await raw(server, { path: `/?${'x'.repeat(60000)}`, headers: bearer(server) }).catch(() => ({ status: 400 }));
  assert.ok(long.status >= 400 && long.status < 500, `a long address: ${long.status}`);
  const carrying = await raw(server, { headers: { ...bearer(server), 'Content-Length': '100000' }, body: 'x'.repeat(100000) })
    .catch(() => ({ headers: { connection: 'close' } }));
  assert.equal(carrying.headers.connection, 'close', 'a body is read');
  const kept = await raw(server, { path: '/api/state', headers: { ...bearer(server), Connection: 'keep-alive' } });
  assert.notEqual(kept.headers.connection, 'close', 'a connection for each picture');
  assert.equal((await raw(server, { path: '/nothing', headers: bearer(server) })).status, 404);
  assert.equal((await raw(server, { path: '/../page.js', headers: bearer(server) })).status, 404);
  for (const path of ['/', '/page.js', '/api/state']) {
    const { headers } = await raw(server, { path, headers: { ...bearer(server), Origin: 'http://example.org' } });
    assert.ok(!Object.keys(headers).some(name => name.startsWith('access-control')), 'CORS');
    assert.match(headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/);
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
  }
  // Those who connect and say nothing do not keep others out.
  const idle = Array.from({ length: 20 }, () => net.connect(Number(server.url.port), '127.0.0.1'));
  for (const socket of idle) socket.on('error', () => {});
  assert.equal((await raw(server, { headers: bearer(server) })).status, 200);
  for (const socket of idle) socket.destroy();
}

async function checkMetrics(server, target) {
  const answer = await server.get('/metrics');
  assert.equal(answer.headers.get('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  const text = await answer.text(), { totals } = await (await server.get('/api/state')).json();
  const value = name => Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text)[1]);
  const parts = ['live', 'cached', 'free', 'uncarved', 'rest', 'retained', 'unused'];
  let sum = 0;
  for (const part of parts) {
    assert.equal(value(`mend_seen_committed_part_bytes{part="${part}"}`), totals[`${part}_bytes`], part);
    sum += totals[`${part}_bytes`];
  }
  assert.equal(sum, value('mend_seen_committed_bytes'));
  assert.equal(value('mend_seen_up'), 1);
  assert.ok(text.endsWith('# EOF\n'));
  // What the process says of itself may be collected beside it, and counts otherwise.
  const names = all => all.match(/(?<=^# TYPE )\S+/gm);
  const own = names(spawnSync(mend, ['stats', '--openmetrics', String(target.pid)], { encoding: 'utf8' }).stdout);
  assert.ok(own.length > 10 && names(text).length > 10);
  assert.deepEqual(names(text).filter(name => own.includes(name)), []);
  const judged = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  if (judged.error) console.log('note: no promtool is installed');
  else assert.equal(judged.status, 0, judged.stderr + judged.stdout);
}

// The process samples: pprof reads it.
async function checkProfile(server) {
  const answer = await server.get('/debug/pprof/heap'), bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(answer.status, 200, bytes.toString());
  assert.deepEqual([...bytes.subarray(0, 2)], [0x1f, 0x8b]);
  const url = new URL(`/debug/pprof/heap?token=${server.token}`, server.url).href;
  const shown = spawnSync('go', ['tool', 'pprof', '-top', url], { encoding: 'utf8', env: { ...process.env, HOME: folder, PPROF_TMPDIR: folder } });
  if (shown.error || /no such tool/.test(shown.stderr)) console.log('note: no pprof is installed');
  else assert.match(shown.stdout, /fill_blocks/, shown.stderr);
}

// A process that does not sample says how it would.
async function checkNoProfile() {
  const target = await Target.start(program, { MEND_PROFILE: '0' });
  const server = await Server.start(mend, target.pid);
  const answer = await server.get('/debug/pprof/heap'), text = await answer.text();
  assert.equal(answer.status, 503);
  assert.match(text, /MEND_PROFILE=1/);
  assert.equal(`${(await (await server.get('/api/sites')).json()).reason}\n`, text);
  await target.end('SIGKILL');
  await server.end('SIGINT');
}

// A process that is stopped says nothing of itself. Who wants that waits, and nobody else.
async function checkStopped() {
  const target = await Target.start(program);
  await target.tell('fill');
  target.process.kill('SIGSTOP');
  const first = await Server.start(mend, target.pid), order = [];
  const profiles = Array.from({ length: 3 }, () => first.get('/debug/pprof/heap').then(answer => {
    order.push('profile');
    return answer;
  }));
  for (let i = 0; i < 10; i++) {
    assert.ok((await (await first.get('/api/state')).json()).is_live);
    order.push('state');
  }
  assert.ok(!order.includes('profile'), `pictures wait for a profile: ${order}`);
  target.process.kill('SIGCONT');
  for (const answer of await Promise.all(profiles)) assert.equal(answer.status, 200);
  assert.equal(await first.end('SIGINT'), 0);

  target.process.kill('SIGSTOP');
  const second = await Server.start(mend, target.pid), silent = await second.get('/debug/pprof/heap');
  assert.deepEqual([silent.status, await silent.text()], [503, 'the process is being asked\n']);
  assert.ok((await (await second.get('/api/stats')).json()).is_pending);
  // It still waits for the process: for two minutes, if it is let.
  assert.equal(await Promise.race([second.end('SIGINT'), rest(40000)]), 0, 'the interrupt does not end it');

  const third = await Server.start(mend, target.pid);
  const cut = third.get('/debug/pprof/heap').then(answer => answer.status, () => 'cut off');
  await third.get('/api/state');
  assert.equal(await Promise.race([third.end('SIGTERM'), rest(40000)]), 0, 'who waits keeps it from its end');
  assert.equal(await cut, 'cut off');
  await target.end('SIGKILL');
}

async function checkEnds(target, server) {
  const busy = spawnSync(mend, ['serve', '--port', server.url.port, String(target.pid)], { encoding: 'utf8' });
  assert.equal(busy.status, 1);
  assert.match(busy.stderr, /port \d+ of 127\.0\.0\.1 can't be had/);
  await target.end('SIGKILL');
  const last = await until('the end is seen', async () => {
    const picture = await (await server.get('/api/state')).json();
    return !picture.is_live && picture;
  });
  assert.ok(last.totals.live_bytes > 0, 'the last picture stays');
  assert.match(await (await server.get('/metrics')).text(), /^mend_seen_up 0$/m);
  assert.equal(await server.end('SIGINT'), 0);
}

function checkUsage() {
  const status = (...words) => spawnSync(mend, ['serve', ...words], { encoding: 'utf8' });
  for (const words of [[], ['x'], ['1', '2'], ['--port', '0', '1'], ['--port', '65536', '1'], ['--interval', '1ms', '1'],
                       ['--nothing', '1'], ['--port']]) {
    assert.equal(status(...words).status, 2, words.join(' '));
  }
  const none = status('--port', '1', '4194304');
  assert.equal(none.status, 1);
  assert.match(none.stderr, /process 4194304/);
  assert.equal(status(String(process.pid)).status, 1, 'a process without mend');
  if (process.getuid() !== 0) return;
  const other = spawn('sleep', ['60'], { uid: 65534 });
  assert.match(status(String(other.pid)).stderr, /another user's: run mend serve as user 65534/);
  other.kill();
}

const target = await Target.start(program);
await target.tell('fill');
const server = await Server.start(mend, target.pid);
try {
  checkUsage();
  await checkToken(server);
  await checkNames(server);
  await checkBounds(server);
  await checkMetrics(server, target);
  await checkProfile(server);
  await checkNoProfile();
  await checkStopped();
  await checkEnds(target, server);
  console.log('ok    the server');
} finally {
  target.process.kill('SIGKILL');
  server.process.kill('SIGKILL');
}
