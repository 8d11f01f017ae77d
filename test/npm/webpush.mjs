// Sends to Peal's web push emulator with the npm package "web-push", which Peal
// did not write: what it encrypts and signs is what the emulator must take.
// webpush_test.go starts the emulator and runs this file; by hand, with the
// emulator behind TLS (the package speaks nothing else):
// NODE_EXTRA_CA_CERTS=cert.pem node webpush.mjs https://127.0.0.1:PORT
import assert from "node:assert/strict";
import webpush from "web-push";

const emulator = process.argv[2] ?? process.env.EMULATOR_URL;
if (!emulator) {
  console.error("usage: node webpush.mjs <emulator URL>");
  process.exit(2);
}
const keys = webpush.generateVAPIDKeys();
const vapidDetails = { subject: "mailto:ops@example.com", ...keys };

async function control(method, path, body) {
  const response = await fetch(`${emulator}/_emulator/${path}`, { method, body: body && JSON.stringify(body) });
  const answer = await response.json();
  assert.equal(response.status, 200, `${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

async function subscribe(more = {}) {
  const { subscriptions } = await control("POST", "subscriptions", { vapid_public_key: keys.publicKey, ...more });
  return subscriptions[0];
}

const send = (subscription, text, options = {}) => webpush.sendNotification(subscription, text, { vapidDetails, ...options });

/** What the call throws, which must be the package's own error. */
async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof webpush.WebPushError, `not a WebPushError: ${error}`);
    return error;
  }
  throw new assert.AssertionError({ message: "the call did not fail" });
}

async function newest(subscription) {
  const { messages } = await control("GET", `messages?limit=1&endpoint=${encodeURIComponent(subscription.endpoint)}`);
  return messages[0];
}

const checks = {
  async "a push is taken, decrypted and shown"() {
    const subscription = await subscribe();
    const text = JSON.stringify({
      web_push: 8030,
      notification: { title: "Hällo 👋", body: "there", navigate: "https://example.com/a", data: { id: "d1" } },
      app_badge: 2,
    });
    const answer = await send(subscription, text, { TTL: 120, urgency: "high", topic: "greeting" });
    assert.equal(answer.statusCode, 201);
    assert.equal(answer.headers.ttl, "120");
    assert.ok(answer.headers.location.startsWith(`${emulator}/message/`));
    const message = await newest(subscription);
    assert.equal(message.text, text);
    assert.equal(message.body_bytes, Buffer.byteLength(text) + 103);
    assert.deepEqual([message.urgency, message.topic, message.state, message.padding], ["high", "greeting", "shown", 0]);
    assert.deepEqual([message.shown.title, message.shown.declarative, message.shown.badge], ["Hällo 👋", true, 2]);
  },

  async "a buffer of any bytes arrives as it is"() {
    const subscription = await subscribe();
    await send(subscription, Buffer.from("plain text"));
    assert.equal((await newest(subscription)).text, "plain text");
  },

  async "3,993 bytes fit and one more does not"() {
    const subscription = await subscribe();
    assert.equal((await send(subscription, "a".repeat(3993))).statusCode, 201);
    const error = await failure(send(subscription, "a".repeat(3994)));
    assert.equal(error.statusCode, 413);
    assert.equal(JSON.parse(error.body).errno, 104);
  },

  async "another key than the subscription's is refused"() {
    const subscription = await subscribe();
    const other = { subject: vapidDetails.subject, ...webpush.generateVAPIDKeys() };
    assert.equal((await failure(send(subscription, "x", { vapidDetails: other }))).statusCode, 403);
  },

  async "a token for another origin, and one that has expired, are refused"() {
    const subscription = await subscribe();
    const sendWith = async (audience, expiration) => {
      const { body, headers } = webpush.generateRequestDetails(subscription, "x", { vapidDetails });
      const { Authorization } = webpush.getVapidHeaders(
        audience, vapidDetails.subject, keys.publicKey, keys.privateKey, "aes128gcm", expiration);
      const response = await fetch(subscription.endpoint, { method: "POST", body, headers: { ...headers, Authorization } });
      return [response.status, await response.text()];
    };
    const now = Math.floor(Date.now() / 1000);
    assert.equal((await sendWith(emulator, now + 3600))[0], 201);
    const [status, body] = await sendWith("https://push.example.com", now + 3600);
    assert.equal(status, 401);
    assert.match(body, /aud/);
    assert.equal((await sendWith(emulator, now - 10))[0], 401);
  },

  async "what another subscription's secrets encrypt is refused"() {
    const subscription = await subscribe();
    const { keys: wrong } = await subscribe();
    const error = await failure(send({ ...subscription, keys: wrong }, "x"));
    assert.equal(error.statusCode, 400);
    assert.equal(JSON.parse(error.body).errno, 110);
  },

  async "the old encoding is refused"() {
    assert.equal((await failure(send(await subscribe(), "x", { contentEncoding: "aesgcm" }))).statusCode, 401);
  },

  async "a subscription that is no more is 410, and a busy service says when"() {
    const subscription = await subscribe();
    const { endpoint } = subscription;
    await control("POST", "faults", { kind: "status", status: 429, retry_after: "30", endpoint });
    const busy = await failure(send(subscription, "x"));
    assert.deepEqual([busy.statusCode, busy.headers["retry-after"]], [429, "30"]);
    await control("PUT", "subscriptions", { endpoint, gone: 410 });
    assert.equal((await failure(send(subscription, "x"))).statusCode, 410);
  },

  async "a topic replaces what waits for a browser that is away"() {
    const subscription = await subscribe();
    const { endpoint } = subscription;
    await control("PUT", "subscriptions", { endpoint, online: false });
    for (const text of ["old", "new"]) await send(subscription, text, { topic: "news" });
    await control("PUT", "subscriptions", { endpoint, online: true });
    const { messages } = await control("GET", `messages?endpoint=${encodeURIComponent(endpoint)}`);
    assert.deepEqual(messages.map((m) => [m.text, m.state]), [["new", "shown"], ["old", "replaced"]]);
  },

  async "a UnifiedPush endpoint takes the same"() {
    const subscription = await subscribe({ ntfy: true });
    const found = await (await fetch(`${subscription.endpoint}?up=1`)).json();
    assert.equal(found.unifiedpush.version, 1);
    assert.equal((await send(subscription, "hello")).statusCode, 200);
    assert.equal((await newest(subscription)).shown.body, "hello");
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error.stack}`);
  }
}
console.log(`${Object.keys(checks).length - failed} of ${Object.keys(checks).length} checks passed`);
process.exitCode = failed ? 1 : 0;
