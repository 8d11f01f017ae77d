import assert from "node:assert/strict";
import { test } from "node:test";
import { base64url, subscribed } from "../src/device.js";

const key = "BAECAwQ";
const bytes = Uint8Array.from([4, 1, 2, 3, 4]).buffer;

/** A PushManager with at most one subscription, as browsers have it. */
class Push {
  done: string[] = [];

  constructor(private current: string | null) {}

  getSubscription = async (): Promise<PushSubscription | null> => (this.current === null ? null : this.#subscription());

  subscribe = async (options?: PushSubscriptionOptionsInit): Promise<PushSubscription> => {
    assert.equal(options?.userVisibleOnly, true);
    this.done.push(`subscribe ${options.applicationServerKey}`);
    this.current = String(options.applicationServerKey);
    return this.#subscription();
  };

  #subscription(): PushSubscription {
    const applicationServerKey = Uint8Array.from(Buffer.from(this.current ?? "", "base64url")).buffer;
    const unsubscribe = async (): Promise<boolean> => {
      this.done.push("unsubscribe");
      this.current = null;
      return true;
    };
    return { options: { applicationServerKey }, unsubscribe } as unknown as PushSubscription;
  }
}

async function done(current: string | null): Promise<string[]> {
  const push = new Push(current);
  await subscribed(push as unknown as PushManager, key);
  return push.done;
}

test("base64url has no padding", () => {
  assert.equal(base64url(bytes), key);
  assert.equal(base64url(Uint8Array.from([251, 255]).buffer), "-_8");
  assert.equal(base64url(null), "");
});

test("one subscribes where there is no subscription, or one of another key", async () => {
  assert.deepEqual(await done(null), [`subscribe ${key}`]);
  assert.deepEqual(await done(key), []);
  assert.deepEqual(await done("BAECAwU"), ["unsubscribe", `subscribe ${key}`]);
});
