// Drives Peal's WasenderApi emulator with the npm package "wasenderapi", which
// Peal did not write: what this client accepts and refuses is what the
// emulator must send. npm_test.go starts the emulator and runs this file; by
// hand: node crosscheck.mjs http://127.0.0.1:PORT
//
// It uses the session and tokens that the emulator has by default.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { createWasender, WasenderAPIError, WasenderWebhookEventType } from "wasenderapi";

const emulator = process.argv[2] ?? process.env.EMULATOR_URL;
if (!emulator) {
  console.error("usage: node crosscheck.mjs <emulator URL>");
  process.exit(2);
}
const apiKey = "wasender-key-1";
const token = "wasender-pat";
const secret = "crosscheck-secret";
const to = "+4915112345678";
const group = "120363025246125486@g.us";

// The order of arguments is that of the constructor; the README's is wrong.
const client = (key, retries = 0, hookSecret = secret) =>
  createWasender(key, token, `${emulator}/api`, undefined, { enabled: retries > 0, maxRetries: retries }, hookSecret);
const sdk = client(apiKey);

async function control(method, path, body) {
  const response = await fetch(`${emulator}/_emulator/${path}`, {
    method,
    body: body && JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  });
  const answer = await response.json();
  assert.equal(response.status, 200, `${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

/** What the call throws, which must be the package's own error. */
async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof WasenderAPIError, `not a WasenderAPIError: ${error}`);
    return error;
  }
  throw new assert.AssertionError({ message: "the call did not fail" });
}

const hooks = [];
const receiver = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  hooks.push({ headers: request.headers, raw: Buffer.concat(chunks).toString("utf8") });
  response.end("ok");
});

const adapter = (hook) => ({
  getHeader: (name) => hook.headers[name.toLowerCase()],
  getRawBody: () => hook.raw,
});

function accepted(result, jid = to) {
  const { success, data } = result.response;
  assert.equal(success, true);
  assert.ok(Number.isInteger(data.msgId) && data.msgId > 0, "msgId");
  assert.equal(data.jid, jid);
  assert.equal(data.status, "in_progress");
  assert.equal(typeof result.rateLimit.limit, "number");
  assert.equal(typeof result.rateLimit.remaining, "number");
  assert.ok(result.rateLimit.resetTimestamp > 1_600_000_000, "X-RateLimit-Reset");
  return data.msgId;
}

const checks = {
  async "every kind of message is taken"() {
    await control("PUT", "script", { steps: [] });
    accepted(await sdk.sendText({ to, text: "hello" }));
    accepted(await sdk.sendImage({ to, imageUrl: "https://example.com/a.png", text: "caption", viewOnce: true }));
    accepted(await sdk.sendVideo({ to, videoUrl: "https://example.com/a.mp4" }));
    accepted(await sdk.sendDocument({ to, documentUrl: "https://example.com/a.pdf", fileName: "a.pdf" }));
    accepted(await sdk.sendAudio({ to, audioUrl: "https://example.com/a.ogg" }));
    accepted(await sdk.sendSticker({ to, stickerUrl: "https://example.com/a.webp" }));
    accepted(await sdk.sendContact({ to, contact: { name: "Ann", phone: "+4915112345679" } }));
    accepted(await sdk.sendLocation({ to, location: { latitude: "52.5", longitude: 13.4, name: "Berlin" } }));
    accepted(await sdk.send({ to, messageType: "poll", poll: { question: "Tea?", options: ["yes", "no"], multiSelect: false } }));
    accepted(await sdk.sendMessageWithMentions(group, "hello", ["+4915112345679"]), group); // groups only, says the package
    accepted(await sdk.sendQuotedMessage({ to, text: "re", replyTo: 100000 }));
    const { messages } = await control("GET", `messages?to=${encodeURIComponent(to)}`);
    assert.deepEqual(messages.map((m) => m.kind).reverse(),
      ["text", "image", "video", "document", "audio", "sticker", "contact", "location", "poll", "text"]);
  },

  async "an invalid message has error details"() {
    const error = await failure(sdk.sendText({ to: "nobody", text: "x" }));
    assert.equal(error.statusCode, 422);
    assert.equal(error.apiMessage, "Validation failed");
    assert.equal(error.errorDetails.to.length, 1);
    const poll = await failure(sdk.send({ to, messageType: "poll", poll: { question: "Tea?", options: ["yes"] } }));
    assert.ok(poll.errorDetails["poll.options"]);
  },

  async "a wrong key is refused"() {
    const error = await failure(client("wrong").sendText({ to, text: "x" }));
    assert.equal(error.statusCode, 401);
  },

  async "a 429 is waited out"() {
    await control("PUT", "sessions/1", { limit: { requests: 1, period: "1s" } });
    accepted(await sdk.sendText({ to, text: "first" }));
    const error = await failure(sdk.sendText({ to, text: "refused" }));
    assert.equal(error.statusCode, 429);
    assert.equal(error.retryAfter, 1);
    assert.equal(error.rateLimit.remaining, 0);
    accepted(await client(apiKey, 2).sendText({ to, text: "after the wait" }));
    await control("PUT", "sessions/1", { limit: { requests: 0, period: "0s" } });
    const { rate_limited: refusals } = await control("GET", "counts");
    assert.equal(refusals, 2);
  },

  async "session status"() {
    assert.deepEqual((await sdk.getSessionStatus()).response, { status: "connected" });
  },

  async "messages: info, edit, delete; number check"() {
    const msgId = accepted(await sdk.sendText({ to, text: "one" }));
    const { data } = (await sdk.getMessageInfo(msgId)).response;
    assert.equal(data.msgId, msgId);
    assert.equal(data.key.id, data.id);
    assert.equal((await sdk.editMessage(msgId, "two")).response.success, true);
    assert.equal((await sdk.deleteMessage(msgId)).response.success, true);
    assert.equal((await failure(sdk.getMessageInfo(msgId))).statusCode, 404);
    assert.equal((await sdk.checkIfOnWhatsapp(to)).response.data.exists, true);
  },

  async "sessions of the account"() {
    const created = await sdk.createWhatsAppSession({
      name: "second", phone_number: "+4915112345670", account_protection: true, log_messages: true, webhook_url: null,
    });
    const { id, api_key: key } = created.response.data;
    assert.equal((await sdk.getAllWhatsAppSessions()).response.data.length, 2);
    assert.equal((await sdk.getWhatsAppSessionDetails(id)).response.data.account_protection, true);
    assert.equal((await sdk.updateWhatsAppSession(id, { name: "renamed" })).response.data.name, "renamed");
    const connect = (await sdk.connectWhatsAppSession(id)).response.data;
    assert.equal(connect.status, "NEED_SCAN");
    assert.equal((await sdk.getWhatsAppSessionQRCode(id)).response.data.qrCode, connect.qrCode);
    const refused = await failure(client(key).sendText({ to, text: "x" }));
    assert.notEqual(refused.statusCode, 429, "a session that is not connected is no matter of limits");
    assert.equal((await sdk.disconnectWhatsAppSession(id)).response.data.status, "disconnected");
    assert.notEqual((await sdk.regenerateApiKey(id)).response.api_key, key);
    assert.equal((await sdk.deleteWhatsAppSession(id)).response.success, true);
  },

  async "webhooks are verified and parsed"() {
    const { port } = receiver.address();
    await control("PUT", "sessions/1", { webhook_url: `http://127.0.0.1:${port}/hook`, webhook_secret: secret });
    await control("PUT", "script", { steps: [2, 3, 4].map((status) => ({ status, delay: "1ms" })), message_sent: true });
    const msgId = accepted(await sdk.sendText({ to, text: "with events" }));
    await control("GET", "idle?timeout=20s");
    const { id: keyId } = (await sdk.getMessageInfo(msgId)).response.data;

    const events = [];
    for (const hook of hooks) events.push(await sdk.handleWebhookEvent(adapter(hook)));
    assert.deepEqual(events.map((e) => e.event),
      [WasenderWebhookEventType.MessageSent, ...Array(3).fill(WasenderWebhookEventType.MessagesUpdate)]);
    assert.deepEqual(events.slice(1).map((e) => [e.data.key.id, e.data.update.status]), [[keyId, 2], [keyId, 3], [keyId, 4]]);

    const refused = await failure(client(apiKey, 0, "another secret").handleWebhookEvent(adapter(hooks[0])));
    assert.equal(refused.statusCode, 401);
  },

  async "inbound messages and session states arrive as events"() {
    hooks.length = 0;
    const { key_id: keyId } = await control("POST", "inbound", { from: to, text: "STOP" });
    await control("PUT", "sessions/1", { state: "need_scan" });
    await control("GET", "idle?timeout=20s");
    const [inbound, state] = await Promise.all(hooks.map((hook) => sdk.handleWebhookEvent(adapter(hook))));
    assert.equal(inbound.event, WasenderWebhookEventType.MessagesReceived);
    assert.equal(inbound.data.messages.key.id, keyId);
    assert.equal(inbound.data.messages.messageBody, "STOP");
    assert.equal(state.event, WasenderWebhookEventType.SessionStatus);
    assert.equal(state.data.status, "need_scan");
    assert.deepEqual((await sdk.getSessionStatus()).response, { status: "need_scan" });
  },
};

receiver.listen(0, "127.0.0.1");
await once(receiver, "listening");
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
receiver.close();
receiver.closeAllConnections();
console.log(`${Object.keys(checks).length - failed} of ${Object.keys(checks).length} checks passed`);
process.exitCode = failed ? 1 : 0;
