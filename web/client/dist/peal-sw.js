// The service worker of Peal, built from web/client/src. License: Apache-2.0.
"use strict";
(() => {
  // src/api.ts
  var PealError = class extends Error {
    constructor(status, code, message2) {
      super(message2);
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

  // src/message.ts
  function parse(text, base) {
    let all = {};
    try {
      all = fields(JSON.parse(text));
    } catch {
      return { ...empty(), body: text };
    }
    const shown = all["notification"];
    const m = message(fields(shown ?? { data: all["data"] }), all["app_badge"], base);
    m.silent = shown === void 0 && m.deliveryId !== "";
    return m.silent || m.title || m.body ? m : { ...m, body: text };
  }
  function message(n, badge2, base) {
    const data = { ...fields(n["data"]) };
    const peal = fields(data["peal"]);
    delete data["peal"];
    const title = str(n["title"]) ?? "";
    const body = str(n["body"]) ?? "";
    const m = {
      ...empty(),
      deliveryId: str(peal["delivery_id"]) ?? "",
      title,
      body,
      data,
      actions: actions(n["actions"], base)
    };
    put(m, "link", link(n["navigate"], base));
    put(m, "icon", link(n["icon"], base));
    put(m, "image", link(n["image"], base));
    put(m, "tag", str(n["tag"]));
    put(m, "lang", str(n["lang"]));
    const count = typeof badge2 === "string" ? Number.parseInt(badge2, 10) : badge2;
    if (typeof count === "number" && Number.isSafeInteger(count) && count >= 0) m.badge = count;
    return m;
  }
  function link(value, base) {
    if (typeof value !== "string" || value === "") return void 0;
    try {
      const url = new URL(value, base);
      return url.protocol === "https:" || url.protocol === "http:" ? url.href : void 0;
    } catch {
      return void 0;
    }
  }
  function actions(value, base) {
    if (!Array.isArray(value)) return [];
    const all = [];
    for (const one of value) {
      const f = fields(one);
      const id = str(f["action"]);
      const title = str(f["title"]);
      if (!id || !title) continue;
      const a = { id, title };
      put(a, "link", link(f["navigate"], base));
      put(a, "icon", link(f["icon"], base));
      all.push(a);
    }
    return all;
  }
  function empty() {
    return { deliveryId: "", title: "", body: "", silent: false, data: {}, actions: [] };
  }
  function fields(value) {
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  }
  function str(value) {
    return typeof value === "string" ? value : void 0;
  }
  function put(to, key2, value) {
    if (value !== void 0) to[key2] = value;
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
  var syncTag = "peal-receipts";
  var batch = 100;
  async function report(id, type, action) {
    if (id === "") return "done";
    await keep({ delivery_id: id, type, ...action ? { action } : {}, at: (/* @__PURE__ */ new Date()).toISOString() });
    return flush();
  }
  function flush() {
    return navigator.locks ? navigator.locks.request("peal-receipts", empty2) : empty2();
  }
  async function empty2() {
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

  // src/worker.ts
  self.addEventListener("push", (event) => {
    event.waitUntil(pushed(read(event)));
  });
  self.addEventListener("notificationclick", (event) => {
    const about = kept(event.notification);
    if (!about) return;
    event.notification.close();
    event.waitUntil(clicked(about, event.action));
  });
  self.addEventListener("notificationclose", (event) => {
    const about = kept(event.notification);
    if (!about) return;
    event.waitUntil(Promise.all([tell({ peal: "close", message: about }), reported(about, "dismissed")]));
  });
  self.addEventListener("pushsubscriptionchange", (event) => {
    const change = event;
    change.waitUntil(resubscribed(change));
  });
  self.addEventListener("sync", (event) => {
    const sync = event;
    if (sync.tag === syncTag) sync.waitUntil(flush().then(later));
  });
  function read(event) {
    const base = self.registration.scope;
    if (event.data) return parse(event.data.text(), base);
    if (event.notification) return message(event.notification, void 0, base);
    return parse("", base);
  }
  async function pushed(m) {
    const [shown] = await Promise.allSettled([m.silent ? void 0 : show(m)]);
    await Promise.all([
      badge(m.badge),
      tell({ peal: "push", message: m }),
      shown.status === "fulfilled" ? reported(m, "delivered") : void 0
      // what nobody can see was not delivered
    ]);
    if (shown.status === "rejected") throw shown.reason;
  }
  async function show(m) {
    const title = m.title || new URL(self.registration.scope).host;
    const data = { peal: { message: m } };
    const options = { body: m.body, data };
    if (m.tag) Object.assign(options, { tag: m.tag, renotify: true });
    if (m.icon) options.icon = m.icon;
    if (m.image) options["image"] = m.image;
    if (m.lang) options.lang = m.lang;
    if (m.actions.length > 0) {
      options["actions"] = m.actions.map(({ id, title: title2, icon }) => ({ action: id, title: title2, ...icon ? { icon } : {} }));
    }
    try {
      await self.registration.showNotification(title, options);
    } catch (e) {
      if (Notification.permission !== "granted") throw e;
      await self.registration.showNotification(title, { body: m.body, data });
    }
  }
  async function clicked(m, action) {
    const url = m.actions.find((a) => a.id === action)?.link ?? m.link ?? self.registration.scope;
    await Promise.allSettled([
      go(url),
      // first: the click allows it for a moment only
      tell({ peal: "click", message: m, ...action ? { action } : {} }),
      action ? reported(m, "action", action) : reported(m, "opened")
    ]);
  }
  async function go(url) {
    const open2 = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const there = open2.find((c) => c.url === url);
    await (there ? there.focus() : self.clients.openWindow(url));
  }
  async function badge(count) {
    if (count === void 0 || !("setAppBadge" in self.navigator)) return;
    try {
      await (count === 0 ? self.navigator.clearAppBadge() : self.navigator.setAppBadge(count));
    } catch {
    }
  }
  async function reported(m, type, action) {
    try {
      await later(await report(m.deliveryId, type, action));
    } catch {
    }
  }
  async function later(became) {
    if (became === "unauthorized") await tell({ peal: "token" });
    if (became !== "later") return;
    try {
      await self.registration.sync?.register(syncTag);
    } catch {
    }
  }
  async function tell(said) {
    for (const client of await self.clients.matchAll({ type: "window", includeUncontrolled: true })) client.postMessage(said);
  }
  async function resubscribed(event) {
    const before = await load();
    if (!before.wanted) return;
    const vapid = before.vapid ?? event.oldSubscription?.options.applicationServerKey;
    const subscription = event.newSubscription ?? (vapid ? await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: vapid }) : void 0);
    if (!subscription) return;
    const state = await save({ subscription: subscription.toJSON() });
    const device = statement(state, "granted");
    if (!device || !state.server || !state.token || !state.user) return;
    await call(state.server, state.token, "PUT", devicePath(state.user, state.installation), device);
  }
  function kept(n) {
    const data = n.data;
    return data?.peal?.message;
  }
})();
