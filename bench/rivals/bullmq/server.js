'use strict';
// The notification service that an application would write over BullMQ, Redis and PostgreSQL, tuned: inserts and updates
// of all requests and workers go in statements of many rows, calls to Redis are pipelined, connections are kept, and
// there is a process per core. The bench starts it in the place of Peal and sends it the same requests.

const cluster = require('node:cluster');
const http = require('node:http');
const { availableParallelism } = require('node:os');
const { randomBytes } = require('node:crypto');
const { Queue, Worker } = require('bullmq');
const { Redis } = require('ioredis');
const { Pool } = require('pg');

const { LISTEN, REDIS_ADDR, DATABASE_URL, PROVIDER, KEY } = process.env;
const PROCESSES = Number(process.env.PROCESSES || availableParallelism());
const CONCURRENCY = Number(process.env.CONCURRENCY); // calls to the provider at once, of all processes
const ROW_WRITERS = 2;
const ROW_BATCH = 500;
const KEEP_ALIVE = 60_000;

// A batcher gathers what waits while earlier batches are being written, and writes it at once.
class Batcher {
  constructor(write) {
    this.write = write;
    this.waiting = [];
    this.busy = 0;
  }

  do(values) {
    return new Promise((resolve, reject) => {
      const call = { left: values.length, resolve, reject };
      for (const value of values) this.waiting.push({ value, call });
      this.pump();
    });
  }

  pump() {
    while (this.busy < ROW_WRITERS && this.waiting.length > 0) {
      this.busy++;
      this.flush(this.waiting.splice(0, ROW_BATCH));
    }
  }

  async flush(items) {
    try {
      await this.write(items.map((item) => item.value));
      for (const { call } of items) if (--call.left === 0) call.resolve();
    } catch (err) {
      for (const { call } of items) call.reject(err);
    }
    this.busy--;
    this.pump();
  }
}

// uuidv7 keeps the primary key's index small and its pages warm: ids are in the order of time.
function uuidv7() {
  const b = randomBytes(16);
  b.writeUIntBE(Date.now(), 0, 6);
  b[6] = (b[6] & 0x0f) | 0x70;
  b[8] = (b[8] & 0x3f) | 0x80;
  const hex = b.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function service() {
  const [host, port] = REDIS_ADDR.split(':');
  const redis = (options) => new Redis({ host, port: Number(port), maxRetriesPerRequest: null, ...options });
  const pool = new Pool({ connectionString: DATABASE_URL, min: 2 * ROW_WRITERS, max: 2 * ROW_WRITERS });
  const queue = new Queue('notifications', {
    connection: redis({ enableAutoPipelining: true }),
    defaultJobOptions: { removeOnComplete: true, attempts: 25, backoff: { type: 'exponential', delay: 1000 } },
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: Math.ceil(CONCURRENCY / PROCESSES) });

  const rows = new Batcher((msgs) => pool.query({
    name: 'insert', // prepared once on each connection
    text: `INSERT INTO notification_log (id, recipient, body, status)
      SELECT id, recipient, body, 'queued' FROM unnest($1::uuid[], $2::text[], $3::text[]) AS u (id, recipient, body)`,
    values: [msgs.map((m) => m.id), msgs.map((m) => m.to), msgs.map((m) => m.text)],
  }));
  const outcomes = new Batcher((outs) => pool.query({
    name: 'update',
    text: `UPDATE notification_log l SET status = 'sent', message_id = u.message_id, attempts = attempts + 1,
      sent_at = now(), updated_at = now() FROM unnest($1::uuid[], $2::text[]) AS u (id, message_id) WHERE l.id = u.id`,
    values: [outs.map((o) => o.id), outs.map((o) => o.messageId)],
  }));

  async function accept(notifications) {
    const msgs = notifications.map((n) => {
      const to = n.recipient?.phone;
      const text = n.content?.text;
      if (typeof to !== 'string' || !to.startsWith('+') || !text) throw Object.assign(new Error('phone and text are needed'), { status: 422 });
      return { id: uuidv7(), to, text };
    });
    await rows.do(msgs);
    const jobs = msgs.map((m) => ({ name: 'send', data: m, opts: { jobId: m.id } }));
    if (jobs.length === 1) await queue.add(jobs[0].name, jobs[0].data, jobs[0].opts);
    else await queue.addBulk(jobs);
    return msgs;
  }

  const worker = new Worker('notifications', async (job) => {
    const messageId = await send(agent, job.data);
    await outcomes.do([{ id: job.data.id, messageId }]);
  }, {
    connection: redis({ enableAutoPipelining: true }),
    // A job is busy until its outcome is in the database, so there are more than calls to the provider.
    concurrency: Math.ceil((4 * CONCURRENCY) / PROCESSES),
  });
  worker.on('failed', (_, err) => console.error('send:', err.message));
  worker.on('error', (err) => console.error('worker:', err.message));

  const server = http.createServer((req, res) => handle(req, res, accept));
  server.keepAliveTimeout = KEEP_ALIVE;
  worker.waitUntilReady().then(() => {
    const [listenHost, listenPort] = LISTEN.split(':');
    server.listen(Number(listenPort), listenHost);
  });

  let stopping = false;
  process.on('SIGTERM', async () => {
    if (stopping) return;
    stopping = true;
    server.close();
    server.closeAllConnections();
    await worker.close();
    await queue.close();
    await pool.end();
    process.exit(0);
  });
}

async function handle(req, res, accept) {
  if (req.url === '/readyz') return answer(res, 200, {});
  if (req.headers.authorization !== `Bearer ${KEY}`) return answer(res, 401, { error: 'who are you?' });
  try {
    const body = JSON.parse(await read(req));
    if (req.url === '/v1/notifications') {
      const [m] = await accept([body]);
      answer(res, 202, { id: m.id });
    } else {
      const msgs = await accept(body.notifications);
      answer(res, 202, { results: msgs.map((m) => ({ status: 202, id: m.id })) });
    }
  } catch (err) {
    console.error('accept:', err.message);
    answer(res, err.status ?? 503, { error: err.message });
  }
}

function read(stream) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    stream.on('data', (c) => chunks.push(c));
    stream.on('end', () => resolve(Buffer.concat(chunks).toString()));
    stream.on('error', reject);
  });
}

function answer(res, status, body) {
  const raw = JSON.stringify(body);
  res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(raw) });
  res.end(raw);
}

// send hands a message to the provider and returns the provider's id of it.
function send(agent, m) {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({ to: m.to, text: m.text });
    const req = http.request(`${PROVIDER}/send-message`, {
      agent,
      method: 'POST',
      timeout: 30_000,
      headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), Authorization: 'Bearer k' },
    }, async (res) => {
      try {
        const raw = await read(res);
        if (res.statusCode !== 200) throw new Error(`provider: ${res.statusCode}: ${raw}`);
        resolve(String(JSON.parse(raw).data.msgId));
      } catch (err) {
        reject(err);
      }
    });
    req.on('timeout', () => req.destroy(new Error('the provider does not answer')));
    req.on('error', reject);
    req.end(body);
  });
}

if (cluster.isPrimary) {
  let stopping = false;
  for (let i = 0; i < PROCESSES; i++) cluster.fork();
  process.on('SIGTERM', () => {
    stopping = true;
    for (const w of Object.values(cluster.workers)) w.process.kill('SIGTERM');
  });
  cluster.on('exit', (_, code) => {
    if (!stopping) process.exit(code || 1);
    if (Object.keys(cluster.workers).length === 0) process.exit(0);
  });
} else {
  service();
}
