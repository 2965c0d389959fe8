// SPDX-License-Identifier: MIT
//
// The process that is looked at, and the server that shows it, for the tests beside this file.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const OPTIONS = { MEND_CONTROL: '1', MEND_PROFILE: '1', MEND_PROFILE_INTERVAL: '64k' };

class Child {
  constructor(command, words, environment) {
    this.process = spawn(command, words, { stdio: ['pipe', 'pipe', 'pipe'],
                                           env: { ...process.env, ...environment } });
    this.lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    this.said = '';
    this.process.stderr.on('data', data => { this.said += data; });
    this.ended = new Promise(done => this.process.on('exit', (code, signal) => done(code ?? signal)));
  }

  async line() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`nothing more to read: ${this.said}`);
    return value;
  }

  end(signal) {
    this.process.kill(signal);
    return this.ended;
  }
}

export class Target extends Child {
  static async start(path, environment = {}) {
    const target = new Target(path, [], { ...OPTIONS, MEND_TRACK_FILE: `${path}.track`, ...environment });
    await target.line();
    return target;
  }

  // Tells it a word and waits until it has done that.
  async tell(word) {
    this.process.stdin.write(`${word}\n`);
    return this.line();
  }

  get pid() {
    return this.process.pid;
  }
}

export class Server extends Child {
  static async start(mend, pid, ...options) {
    const server = new Server(mend, ['serve', ...options, String(pid)], {});
    server.url = new URL(await server.line());
    server.token = server.url.searchParams.get('token');
    return server;
  }

  async get(path, headers = {}) {
    return fetch(new URL(path, this.url), { headers: { Authorization: `Bearer ${this.token}`, ...headers } });
  }
}

export const rest = ms => new Promise(done => setTimeout(done, ms));

// Asks until it is so; a minute is for machines that are busy with other things.
export async function until(what, isSo) {
  for (let i = 0; i < 600; i++) {
    const found = await isSo();
    if (found) return found;
    await rest(100);
  }
  throw new Error(`it has not come to that: ${what}`);
}
