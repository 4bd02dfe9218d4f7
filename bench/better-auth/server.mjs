// A baseline of make bench: better-auth with its admin plugin, over node:http and SQLite, and one
// page of 12 KB that looks its session up. SYNCHRONOUS is SQLite's own setting, DATABASE the file.
// Standard output gets one line of JSON: the address, and a cookie of an administrator.
import http from 'node:http';
import Database from 'better-sqlite3';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { admin } from 'better-auth/plugins';
import { fromNodeHeaders, toNodeHandler } from 'better-auth/node';

const people = 200;
const database = new Database(process.env.DATABASE);
database.pragma('journal_mode = WAL');
database.pragma(`synchronous = ${process.env.SYNCHRONOUS}`);

const server = http.createServer(answer);
server.keepAliveTimeout = 120_000; // the others take turns meanwhile
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const origin = `http://127.0.0.1:${server.address().port}`;

const auth = betterAuth({
  baseURL: origin,
  secret: 'only-for-a-benchmark-on-this-machine',
  database,
  emailAndPassword: { enabled: true },
  plugins: [admin()],
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
});
await (await getMigrations(auth.options)).runMigrations();
const handle = toNodeHandler(auth);

const rows = Array.from({ length: 55 }, (_, i) => ({ name: `Person ${i}`, email: `person${i}@example.com`, company: `Company ${i} & Sons`, at: '2026-11-23 09:00' }));
const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => escapes[c]);

// page is about 11.5 KB, of escaped values in a template of the language, the fastest there is.
function page(user) {
  const lines = rows.map((r) => `<tr><td class="name"><a href="/people/${escape(r.email)}">${escape(r.name)}</a></td><td class="company">${escape(r.company)}</td><td class="text-secondary">${escape(r.email)}</td><td>${escape(r.at)}</td></tr>\n`);
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>People</title></head><body><header>${escape(user.name)} (${escape(user.email)})</header><table>${lines.join('')}</table></body></html>`;
}

async function answer(request, response) {
  if (request.url !== '/page') return handle(request, response);
  const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
  if (!session) {
    response.writeHead(401).end();
    return;
  }
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page(session.user));
}

async function post(path, body) {
  const answered = await fetch(`${origin}/api/auth${path}`, { method: 'POST', headers: { 'content-type': 'application/json', origin }, body: JSON.stringify(body) });
  if (!answered.ok) throw new Error(`${path}: ${answered.status} ${await answered.text()}`);
  return answered;
}

const signedUp = await post('/sign-up/email', { name: 'Ann Lee', email: 'ann@example.com', password: 'understudy-demo' });
database.prepare(`UPDATE user SET role = 'admin' WHERE email = 'ann@example.com'`).run();
const targets = [];
const insert = database.prepare(`INSERT INTO user (id, name, email, emailVerified, createdAt, updatedAt, role) VALUES (?, ?, ?, 1, ?, ?, 'user')`);
for (let i = 0; i < people; i++) {
  const now = new Date().toISOString();
  insert.run(`target-${i}`, `Person ${i}`, `person${i}@example.com`, now, now);
  targets.push(`target-${i}`);
}
console.log(JSON.stringify({ origin, targets, cookie: signedUp.headers.getSetCookie().map((c) => c.split(';')[0]).join('; ') }));
process.stdin.on('end', () => process.exit(0)).resume(); // it ends with who started it
