// Drives Peal's APNs emulator with the npm package "@parse/node-apn", which
// Peal did not write: that it is served proves that the emulator is not made to
// fit Peal's own client. apns_test.go starts the emulator and runs this file
// with the path of a JSON file: {address, control, ca, key, team, kid, bundle}.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import apn from "@parse/node-apn";

const at = JSON.parse(readFileSync(process.argv[2], "utf8"));
const phone = "ab".repeat(32);
const gone = "cd".repeat(32);

const provider = new apn.Provider({
  token: { key: at.key, keyId: at.kid, teamId: at.team },
  address: at.address.split(":")[0],
  port: Number(at.address.split(":")[1]),
  ca: at.ca,
  production: true,
  requestTimeout: 10_000,
});

async function control(method, path, body) {
  const response = await fetch(`${at.control}/_emulator/${path}`, { method, body: body && JSON.stringify(body) });
  const answer = await response.json();
  assert.equal(response.status, 200, `${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

const notification = (more) =>
  new apn.Notification({
    topic: at.bundle, pushType: "alert", alert: { title: "Hello", body: "World" }, sound: "default", badge: 2,
    id: randomUUID(), ...more,
  });

async function accepted(note, token = phone) {
  const { sent, failed } = await provider.send(note, token);
  assert.deepEqual(failed, []);
  assert.equal(sent.length, 1);
  assert.equal(sent[0]["apns-id"], note.id);
}

async function refused(note, status, reason, token = phone) {
  const { sent, failed } = await provider.send(note, token);
  assert.equal(sent.length, 0);
  assert.equal(failed[0].status, status);
  assert.equal(failed[0].response.reason, reason);
  return failed[0].response;
}

/** Waits until the package has closed its connection. */
async function left() {
  for (const until = Date.now() + 20_000; (await control("GET", "counts")).open > 0; ) {
    assert.ok(Date.now() < until, "the connection was not closed");
  }
}

const checks = {
  async "a push is taken and shown"() {
    await accepted(notification({ collapseId: "a", expiry: Math.floor(Date.now() / 1000) + 60, payload: { order: "7" } }));
    const { shown } = await control("GET", `devices/${phone}/shown`);
    assert.equal(shown.length, 1);
    const { title, body, sound, badge, collapse_key: key, data, problems } = shown[0];
    assert.deepEqual({ title, body, sound, badge, key, data, problems },
      { title: "Hello", body: "World", sound: "default", badge: 2, key: "a", data: { order: "7" }, problems: undefined });
  },

  async "a background push is taken"() {
    const note = new apn.Notification({ topic: at.bundle, pushType: "background", contentAvailable: 1, priority: 5, id: randomUUID() });
    await accepted(note);
  },

  async "a token that nobody has"() {
    await refused(notification(), 400, "BadDeviceToken", "00".repeat(32));
  },

  async "an app that was removed"() {
    const time = "2026-11-21T10:00:00Z";
    await control("PUT", `devices/${gone}`, { gone: "Unregistered", gone_at: time });
    const { timestamp } = await refused(notification(), 410, "Unregistered", gone);
    assert.equal(timestamp, Date.parse(time));
  },

  async "what is wrong with a push is named"() {
    await refused(notification({ priority: 7 }), 400, "BadPriority");
    await refused(notification({ topic: "org.example.other" }), 400, "DeviceTokenNotForTopic");
    await refused(notification({ pushType: "background" }), 400, "BadPriority");
    await refused(notification({ collapseId: "c".repeat(65) }), 400, "BadCollapseId");
    await refused(notification({ alert: "x".repeat(4100) }), 413, "PayloadTooLarge");
  },

  async "many at once over one connection"() {
    const results = await Promise.all(Array.from({ length: 300 }, () => provider.send(notification(), phone)));
    assert.equal(results.filter(({ sent }) => sent.length === 1).length, 300);
    const { connections } = await control("GET", "connections");
    assert.equal(connections.length, 1);
  },

  async "GOAWAY is survived"() {
    await control("POST", "connections", { do: "goaway", reason: "Shutdown" });
    await left();
    await accepted(notification());
    await control("POST", "faults", { kind: "goaway", reason: "IdleTimeout" });
    const { failed } = await provider.send(notification(), phone);
    assert.equal(failed.length, 1);
    await left();
    await accepted(notification());
    const { connections } = await control("GET", "connections");
    assert.equal(connections.length, 3);
  },

  async "a reset and a lost connection fail one push"() {
    for (const kind of ["reset", "drop"]) {
      await control("POST", "faults", { kind, take_first: true });
      const { failed } = await provider.send(notification(), phone);
      assert.equal(failed.length, 1);
      if (kind === "drop") await left();
      await accepted(notification());
    }
  },
};

let failures = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok   ${name}`);
  } catch (error) {
    failures++;
    console.log(`FAIL ${name}: ${error.stack}`);
  }
}
await provider.shutdown();
console.log(`${Object.keys(checks).length - failures} of ${Object.keys(checks).length} checks passed`);
process.exitCode = failures ? 1 : 0;
