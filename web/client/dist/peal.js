// The browser module of Peal, built from web/client/src. License: Apache-2.0.

// src/api.ts
var PealError = class extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
  status;
  code;
  name = "PealError";
};
var timeout = 15e3;
async function call(server, token, method, path, body) {
  const init = {
    method,
    headers: { Authorization: `Bearer ${token}`, ...body === void 0 ? {} : { "Content-Type": "application/json" } },
    credentials: "omit",
    cache: "no-store",
    signal: AbortSignal.timeout(timeout)
  };
  if (body !== void 0) init.body = JSON.stringify(body);
  let response;
  let text;
  try {
    response = await fetch(server + path, init);
    text = await response.text();
  } catch (e) {
    throw new PealError(0, "", `${method} ${path}: ${e instanceof Error ? e.message : String(e)}`);
  }
  const answer = json(text);
  if (response.ok) return answer;
  const problem = answer ?? {};
  const why = [problem.title, problem.detail, ...(problem.errors ?? []).map((e) => `${e.path}: ${e.message}`)].filter(Boolean).join("; ");
  throw new PealError(response.status, typeof problem.code === "string" ? problem.code : "", `${method} ${path}: ${response.status} ${why}`);
}
function keyOf(config, app) {
  const fit = config.web_push.find((w) => w.apps?.includes(app)) ?? config.web_push.find((w) => !w.apps?.length);
  if (!fit) throw new PealError(0, "no_integration", `no integration of kind webpush serves the app ${JSON.stringify(app)}`);
  return fit.public_key;
}
function devicePath(user, installation) {
  return `/v1/users/${encodeURIComponent(user)}/devices/${encodeURIComponent(installation)}`;
}
function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return void 0;
  }
}

// src/device.ts
function base64url(bytes) {
  if (!bytes) return "";
  let text = "";
  for (const b of new Uint8Array(bytes)) text += String.fromCharCode(b);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
async function subscribed(push, vapid) {
  const options = { userVisibleOnly: true, applicationServerKey: vapid };
  const old = await push.getSubscription();
  if (old) {
    if (base64url(old.options.applicationServerKey) === vapid.replace(/=+$/, "")) return old;
    await old.unsubscribe();
  }
  return push.subscribe(options);
}
function statement(state, permission) {
  if (!state.subscription || !state.app) return void 0;
  return {
    kind: "webpush",
    subscription: { endpoint: state.subscription.endpoint ?? "", keys: state.subscription.keys ?? {} },
    app_id: state.app,
    platform: "web",
    locale: navigator.language,
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    ...state.appVersion ? { app_version: state.appVersion } : {},
    permission: permission === "default" ? "not_determined" : permission
  };
}

// src/store.ts
var maxReceipts = 500;
var name = "peal";
var states = "state";
var receipts = "receipts";
var key = "installation";
function load() {
  return save({});
}
function save(change) {
  return within(states, (store, done) => {
    const get = store.get(key);
    get.onsuccess = () => {
      const state = { ...get.result ?? { installation: crypto.randomUUID() }, ...change };
      store.put(state, key);
      done(state);
    };
  });
}
function keep(receipt) {
  return within(receipts, (store, done) => {
    store.add(receipt);
    const count = store.count();
    count.onsuccess = () => {
      let over = count.result - maxReceipts;
      if (over > 0) {
        const cursor = store.openCursor();
        cursor.onsuccess = () => {
          if (!cursor.result || over-- <= 0) return;
          cursor.result.delete();
          cursor.result.continue();
        };
      }
    };
    done();
  });
}
function waiting(limit) {
  return within(receipts, (store, done) => {
    const found = { keys: [], receipts: [] };
    const cursor = store.openCursor();
    cursor.onsuccess = () => {
      if (cursor.result && found.keys.length < limit) {
        found.keys.push(cursor.result.key);
        found.receipts.push(cursor.result.value);
        cursor.result.continue();
      }
    };
    done(found);
  });
}
function drop(keys) {
  return within(receipts, (store, done) => {
    for (const k of keys) store.delete(k);
    done();
  });
}
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(states);
      request.result.createObjectStore(receipts, { autoIncrement: true });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
async function within(store, work) {
  const db = await open();
  try {
    return await new Promise((resolve, reject) => {
      const tx = db.transaction(store, "readwrite");
      let result;
      tx.oncomplete = () => resolve(result);
      tx.onabort = () => reject(tx.error ?? new Error("peal: the browser's storage refused"));
      work(tx.objectStore(store), (r) => {
        result = r;
      });
    });
  } finally {
    db.close();
  }
}

// src/receipts.ts
var batch = 100;
async function report(id, type, action) {
  if (id === "") return "done";
  await keep({ delivery_id: id, type, ...action ? { action } : {}, at: (/* @__PURE__ */ new Date()).toISOString() });
  return flush();
}
function flush() {
  return navigator.locks ? navigator.locks.request("peal-receipts", empty) : empty();
}
async function empty() {
  try {
    const state = await load();
    for (; ; ) {
      const { keys, receipts: receipts2 } = await waiting(batch);
      if (keys.length === 0) return "done";
      const became = await send(state, receipts2, keys);
      if (became !== "done") return became;
    }
  } catch {
    return "later";
  }
}
async function send(state, receipts2, keys) {
  if (!state.server || !state.token) return "unauthorized";
  try {
    await call(state.server, state.token, "POST", "/v1/receipts", { receipts: receipts2 });
  } catch (e) {
    const status = e instanceof PealError ? e.status : 0;
    if (status === 401) return "unauthorized";
    if (status < 400 || status >= 500 || status === 403 || status === 408 || status === 429) return "later";
    for (let i = 0; receipts2.length > 1 && i < receipts2.length; i++) {
      const became = await send(state, receipts2.slice(i, i + 1), keys.slice(i, i + 1));
      if (became !== "done") return became;
    }
  }
  await drop(keys);
  return "done";
}

// src/peal.ts
var Peal = class _Peal {
  #options;
  #listeners = /* @__PURE__ */ new Set();
  /** Calls come one after the other: a register at the start and a subscribe by a click would otherwise race. */
  #last = Promise.resolve();
  constructor(options) {
    this.#options = { ...options, server: options.server.replace(/\/+$/, "") };
    if (!_Peal.supported) return;
    navigator.serviceWorker.addEventListener("message", (event) => this.#heard(event));
    navigator.serviceWorker.startMessages();
  }
  /** Whether this browser can be reached. On an iPhone it can once the site is on the home screen. */
  static get supported() {
    return "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis && "indexedDB" in globalThis;
  }
  /**
   * Asks the user for permission, subscribes this browser, and registers it. Call it from a click: browsers refuse to ask
   * otherwise. Whether the user allowed it is in the answer.
   */
  async subscribe() {
    if (!_Peal.supported) return unsupported();
    await Notification.requestPermission();
    return this.#next(async () => {
      await save({ wanted: true });
      return this.#register();
    });
  }
  /**
   * States the full truth about this browser. Call it at every start of your app: it renews what was changed or lost, tells
   * Peal when the permission was taken away, and sends receipts that wait. It never asks the user, and registers nothing
   * before the first subscribe.
   */
  async register() {
    if (!_Peal.supported) return unsupported();
    return this.#next(() => this.#register());
  }
  /**
   * Ends the subscription, and has Peal forget this device; such as when the user logs out. When Peal cannot be reached it
   * fails, and can be called again; nothing is shown here any more in any case.
   */
  async unsubscribe() {
    if (!_Peal.supported) return;
    return this.#next(async () => {
      const { installation, user } = await load();
      const worker = await navigator.serviceWorker.getRegistration(this.#path());
      await (await worker?.pushManager.getSubscription())?.unsubscribe();
      await save({ wanted: false, subscription: void 0, vapid: void 0 });
      if (!user) return;
      await flush();
      try {
        await this.#call("DELETE", devicePath(user, installation));
      } catch (e) {
        if (!(e instanceof PealError && e.status === 404)) throw e;
      }
      await save({ user: void 0, token: void 0 });
    });
  }
  /** Has a function told of pushes and clicks while the page is open. Gives a function that ends it. */
  onMessage(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  /** Reports that the user has seen what a push was about in the app itself, without a click on it. */
  async reportOpened(deliveryId) {
    if (!("indexedDB" in globalThis)) return;
    if (await report(deliveryId, "opened") === "unauthorized") await this.#renew();
  }
  #next(work) {
    const next = this.#last.then(work);
    this.#last = next.catch(() => void 0);
    return next;
  }
  #path() {
    return this.#options.serviceWorker ?? "/peal-sw.js";
  }
  async #register() {
    const { server, app, appVersion } = this.#options;
    let state = await save({ server, app, appVersion, token: await this.#options.token() });
    const permission = Notification.permission;
    let reached = false;
    if (state.wanted) {
      const config = await this.#call("GET", "/v1/client");
      if (!config.user_id) throw new PealError(0, "", "the token is not a user's: give a user token, never an API key");
      state = await save({ user: config.user_id });
      if (permission === "granted") {
        state = await this.#subscription(keyOf(config, app));
        reached = true;
      }
      const device = statement(state, permission);
      if (device) await this.#call("PUT", devicePath(config.user_id, state.installation), device);
    }
    await flush();
    return { subscribed: reached, permission: permission === "default" ? "not_determined" : permission, installationId: state.installation };
  }
  /** Makes sure of the subscription, and keeps it. */
  async #subscription(vapid) {
    const worker = await activated(await navigator.serviceWorker.register(this.#path()));
    const subscription = await subscribed(worker.pushManager, vapid);
    return save({ subscription: subscription.toJSON(), vapid });
  }
  /** Makes a call with the latest token, and once more with a new one when that was refused. */
  async #call(method, path, body) {
    const { token } = await load();
    try {
      if (token) return await call(this.#options.server, token, method, path, body);
    } catch (e) {
      if (!(e instanceof PealError && e.status === 401)) throw e;
    }
    const renewed = await this.#options.token();
    await save({ token: renewed });
    return call(this.#options.server, renewed, method, path, body);
  }
  /** Gets a new token, and sends what waited for one. */
  async #renew() {
    await save({ token: await this.#options.token() });
    await flush();
  }
  #heard(event) {
    const said = event.data;
    switch (said?.peal) {
      case "token":
        this.#renew().catch(() => void 0);
        break;
      case "push":
      case "click":
      case "close": {
        if (!said.message) return;
        const told = { type: said.peal, message: said.message, ...said.action ? { action: said.action } : {} };
        for (const listener of this.#listeners) listener(told);
        break;
      }
    }
  }
};
function unsupported() {
  return { subscribed: false, permission: "unsupported", installationId: "" };
}
function activated(registration) {
  const worker = registration.active ?? registration.waiting ?? registration.installing;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (registration.active) resolve(registration);
      else if (!worker || worker.state === "redundant") reject(new Error("peal: the service worker could not be installed"));
    };
    worker?.addEventListener("statechange", look);
    look();
  });
}
export {
  Peal,
  PealError
};
