// Drives Peal's WhatsApp Cloud API emulator with npm packages that Peal did not
// write: "@kapso/whatsapp-cloud-api" sends to it and verifies its webhooks, and
// "whatsapp-api-js" is the receiver of its webhooks. whatsappcloud_test.go
// starts the emulator and runs this file; by hand:
// node whatsappcloud.mjs http://127.0.0.1:PORT
//
// It uses the account and number that the emulator has by default.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { GraphApiError, WhatsAppClient } from "@kapso/whatsapp-cloud-api";
import { normalizeWebhook, verifySignature } from "@kapso/whatsapp-cloud-api/server";
import { WhatsAppAPI } from "whatsapp-api-js";

const emulator = process.argv[2] ?? process.env.EMULATOR_URL;
if (!emulator) {
  console.error("usage: node whatsappcloud.mjs <emulator URL>");
  process.exit(2);
}
const account = "102290129340398";
const phoneNumberId = "106540352242922";
const accessToken = "cloud-token-1";
const appSecret = "cloud-app-secret-1";
const webhookVerifyToken = "cloud-verify-token-1";
const to = "+4915112345678";
const waId = to.slice(1);

const client = new WhatsAppClient({ baseUrl: emulator, accessToken });
const receiverAPI = () => new WhatsAppAPI({ token: accessToken, appSecret, webhookVerifyToken, v: "v23.0" });

async function control(method, path, body) {
  const response = await fetch(`${emulator}/_emulator/${path}`, { method, body: body && JSON.stringify(body) });
  const answer = await response.json();
  assert.equal(response.status, 200, `${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

const idle = () => control("GET", "idle?timeout=20s");

/** What the call throws, which must be the package's own error. */
async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof GraphApiError, `not a GraphApiError: ${error.stack}`);
    return error;
  }
  throw new assert.AssertionError({ message: "the call did not fail" });
}

// The receiver answers the handshake with whatsapp-api-js.
const hooks = [];
const receiver = createServer(async (request, response) => {
  if (request.method === "GET") {
    try {
      const params = Object.fromEntries(new URL(request.url, "http://localhost").searchParams);
      response.end(receiverAPI().get(params));
    } catch (error) {
      response.statusCode = error.httpStatus ?? 500;
      response.end();
    }
    return;
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  hooks.push({ signature: request.headers["x-hub-signature-256"], raw: Buffer.concat(chunks).toString("utf8") });
  response.end("ok");
});

function accepted(result, wa = waId) {
  assert.equal(result.messagingProduct, "whatsapp");
  assert.match(result.messages[0].id, /^wamid\./);
  assert.equal(result.messages[0].messageStatus, "accepted");
  assert.equal(result.contacts[0].waId, wa);
  return result.messages[0].id;
}

const at = { phoneNumberId, to };

const checks = {
  async "the handshake"() {
    const { port } = receiver.address();
    await control("PUT", `accounts/${account}`, { webhook_url: `http://127.0.0.1:${port}/hook` });
    await control("POST", "verify", {});
    await control("PUT", `accounts/${account}`, { verify_token: "another" });
    const response = await fetch(`${emulator}/_emulator/verify`, { method: "POST", body: "{}" });
    assert.equal(response.status, 400);
    await control("PUT", `accounts/${account}`, { verify_token: webhookVerifyToken });
    await control("PUT", "script", { steps: [] });
    await control("PUT", `users/${waId}`, { window: "0s" });
  },

  async "every kind of message is taken"() {
    const link = "https://example.com/a";
    const messageId = accepted(await client.messages.sendText({ ...at, body: "hello", previewUrl: false }));
    accepted(await client.messages.sendText({ ...at, body: "an answer", contextMessageId: messageId, bizOpaqueCallbackData: "m1" }));
    accepted(await client.messages.sendImage({ ...at, image: { link: `${link}.png`, caption: "c" } }));
    accepted(await client.messages.sendVideo({ ...at, video: { link: `${link}.mp4` } }));
    accepted(await client.messages.sendAudio({ ...at, audio: { link: `${link}.ogg` } }));
    accepted(await client.messages.sendDocument({ ...at, document: { link: `${link}.pdf`, filename: "a.pdf" } }));
    accepted(await client.messages.sendSticker({ ...at, sticker: { link: `${link}.webp` } }));
    accepted(await client.messages.sendLocation({ ...at, location: { latitude: 52.5, longitude: 13.4, name: "Berlin", address: "Mitte" } }));
    accepted(await client.messages.sendContacts({ ...at, contacts: [{ name: { formattedName: "Ann" }, phones: [{ phone: "+1", type: "WORK" }] }] }));
    accepted(await client.messages.sendReaction({ ...at, reaction: { messageId, emoji: "😀" } }));
    accepted(await client.messages.sendInteractiveButtons({
      ...at, bodyText: "b", footerText: "f", buttons: [{ id: "1", title: "Yes" }, { id: "2", title: "No" }],
    }));
    accepted(await client.messages.sendInteractiveList({
      ...at, bodyText: "b", buttonText: "Open", sections: [{ title: "t", rows: [{ id: "1", title: "One", description: "d" }] }],
    }));
    const { messages } = await control("GET", `messages?to=${waId}`);
    assert.deepEqual(messages.map((m) => m.kind).reverse(), ["text", "text", "image", "video", "audio", "document", "sticker", "location",
      "contacts", "reaction", "interactive", "interactive"]);
  },

  async "a template of the catalogue"() {
    const components = [{ type: "BODY", text: "Hi {{1}}" }];
    const created = await client.templates.create({
      businessAccountId: account, name: "hello", language: "en", category: "UTILITY",
      components: [{ type: "BODY", text: "Hi {{1}}", example: { bodyText: [["Ann"]] } }],
    });
    assert.equal(created.status, "PENDING");
    const template = { name: "hello", language: { code: "en" }, components: [{ type: "body", parameters: [{ type: "text", text: "Ann" }] }] };
    assert.equal((await failure(client.messages.sendTemplate({ ...at, template }))).code, 132001);
    await control("PUT", "templates", { name: "hello", language: "en", components });
    accepted(await client.messages.sendTemplate({ ...at, template }));
    const error = await failure(client.messages.sendTemplate({ ...at, template: { name: "hello", language: { code: "en" } } }));
    assert.equal(error.code, 132000);
    assert.equal(error.category, "template");
    for (let i = 0; i < 5; i++) await control("PUT", "templates", { name: `more_${i}`, language: "en" });
    const seen = [];
    for (let after; ;) {
      const { data, paging } = await client.templates.list({ businessAccountId: account, limit: 4, after });
      seen.push(...data.map((t) => t.name));
      if (!paging.next) break;
      after = paging.cursors.after;
    }
    assert.deepEqual(seen, ["hello", "more_0", "more_1", "more_2", "more_3", "more_4"]);
  },

  async "media: upload, send, fetch, delete"() {
    const bytes = new Uint8Array([1, 2, 3]);
    const { id: mediaId } = await client.media.upload({ phoneNumberId, type: "image/png", file: new Blob([bytes], { type: "image/png" }), fileName: "a.png" });
    accepted(await client.messages.sendImage({ ...at, image: { id: mediaId } }));
    const info = await client.media.get({ mediaId, phoneNumberId });
    assert.equal(info.mimeType, "image/png");
    assert.equal(Number(info.fileSize), 3);
    // The package sends its token to Meta's hosts only, unless told.
    assert.deepEqual(new Uint8Array(await client.media.download({ mediaId, auth: "always" })), bytes);
    assert.equal((await client.media.delete({ mediaId })).success, true);
    assert.equal((await failure(client.media.get({ mediaId }))).code, 100);
  },

  async "a recipient without a phone number"() {
    const { user_id: recipient } = await control("GET", `users/${waId}`);
    const { contacts } = await client.messages.sendText({ phoneNumberId, recipient, body: "hello" });
    assert.equal(contacts[0].userId, recipient);
    assert.equal(contacts[0].waId, undefined);
  },

  async "mark as read, with typing indicator"() {
    const { id: messageId } = await control("POST", "inbound", { from: to, text: "hi" });
    const { success } = await client.messages.markRead({ phoneNumberId, messageId, typingIndicator: { type: "text" } });
    assert.equal(success, true);
    await idle();
  },

  async "every error is understood"() {
    const { errors } = await control("GET", "errors");
    assert.ok(errors.length > 50);
    for (const { code, http } of errors) {
      const error = await failure(client.messages.sendText({ phoneNumberId, to: `9991${String(code).padStart(6, "0")}`, body: "x" }));
      assert.equal(error.code, code);
      assert.equal(error.httpStatus, http, `${code}`);
      assert.ok(error.fbtraceId, `${code} has no fbtrace_id`);
      if ([4, 80007, 130429, 131048, 131056].includes(code)) assert.equal(error.category, "throttling", `${code}`);
      if ([131049, 131050, 131047, 368, 130497, 131031].includes(code)) assert.equal(error.retry.action, "do_not_retry", `${code}`);
      if (code === 190) assert.ok(error.requiresTokenRefresh());
    }
    const bad = await failure(new WhatsAppClient({ baseUrl: emulator, accessToken: "wrong" }).messages.sendText({ ...at, body: "x" }));
    assert.ok(bad.isAuthError());
    const old = await failure(new WhatsAppClient({ baseUrl: emulator, accessToken, graphVersion: "v2.0" }).messages.sendText({ ...at, body: "x" }));
    assert.equal(old.httpStatus, 400);
  },

  async "webhooks are verified and normalised by @kapso/whatsapp-cloud-api"() {
    hooks.length = 0;
    await control("PUT", "script", { steps: ["sent", "delivered", "read"].map((status) => ({ status })) });
    const id = accepted(await client.messages.sendText({ ...at, body: "x", bizOpaqueCallbackData: "grüße/🙂" }));
    await idle();
    await control("POST", "inbound", { from: to, text: "schöne Grüße 🙂", reply_to: id });
    await idle();
    assert.equal(hooks.length, 4);
    for (const { raw, signature } of hooks) {
      assert.ok(verifySignature({ appSecret, rawBody: raw, signatureHeader: signature }));
      assert.ok(!verifySignature({ appSecret: "another", rawBody: raw, signatureHeader: signature }));
      assert.ok(!verifySignature({ appSecret, rawBody: `${raw} `, signatureHeader: signature }));
    }
    const events = hooks.map(({ raw }) => normalizeWebhook(JSON.parse(raw)));
    assert.deepEqual(events.flatMap((e) => e.statuses.map((s) => [s.id, s.status, s.recipientId])),
      ["sent", "delivered", "read"].map((status) => [id, status, waId]));
    assert.equal(events[0].phoneNumberId, phoneNumberId);
    assert.ok(events[0].statuses[0].recipientUserId);
    assert.equal(events[3].messages[0].text.body, "schöne Grüße 🙂");
    assert.equal(events[3].contacts[0].waId, waId);
  },

  async "webhooks are taken by whatsapp-api-js"() {
    const api = receiverAPI();
    const statuses = [], messages = [];
    api.on.status = ({ id, status, phone, biz_opaque_callback_data: data }) => void statuses.push([id, status, phone, data]);
    api.on.message = ({ from, message, name }) => void messages.push([from, message.type, name]);
    for (const { raw, signature } of hooks) await api.post(JSON.parse(raw), raw, signature);
    assert.deepEqual(statuses.map((s) => s.slice(1)), ["sent", "delivered", "read"].map((status) => [status, waId, "grüße/🙂"]));
    assert.deepEqual(messages.map((m) => m.slice(0, 2)), [[waId, "text"]]);
    await assert.rejects(api.post(JSON.parse(hooks[0].raw), hooks[0].raw, hooks[1].signature), ({ httpStatus }) => httpStatus === 401);

    hooks.length = 0;
    messages.length = 0;
    const kinds = ["text", "image", "audio", "video", "document", "sticker", "location", "contacts", "reaction", "button", "interactive", "order", "unsupported"];
    for (const type of kinds) {
      await control("POST", "inbound", { from: to, type, text: "x", reply_to: "wamid.HBgLMTY0" });
      await idle();
    }
    for (const { raw, signature } of hooks) await api.post(JSON.parse(raw), raw, signature);
    assert.deepEqual(messages.map((m) => m[1]), kinds);

    // Somebody without a number, who is known by a user id: the package hands the message on all the same.
    const { user_id: userId } = await control("PUT", `users/${waId}`, { hide_phone: true });
    hooks.length = 0;
    const raws = [];
    api.on.message = ({ raw }) => void raws.push(raw.entry[0].changes[0].value.messages[0]);
    await control("POST", "inbound", { from: to, text: "x" });
    await idle();
    for (const { raw, signature } of hooks) await api.post(JSON.parse(raw), raw, signature);
    await control("PUT", `users/${waId}`, { hide_phone: false });
    assert.equal(raws.length, 1);
    assert.equal(raws[0].from, undefined);
    assert.equal(raws[0].from_user_id, userId);
  },

  async "a failed status has its error"() {
    const api = receiverAPI();
    const errors = [];
    api.on.status = ({ status, error }) => void errors.push([status, error.code]);
    hooks.length = 0;
    await client.messages.sendText({ phoneNumberId, to: "9992131026", body: "x" });
    await idle();
    for (const { raw, signature } of hooks) await api.post(JSON.parse(raw), raw, signature);
    assert.deepEqual(errors, [["failed", 131026]]);
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
