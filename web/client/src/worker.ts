// The service worker: `importScripts("https://peal.example.com/client/peal-sw.js")` in a file of the app's own origin.
import { call, devicePath } from "./api.js";
import { statement } from "./device.js";
import { type Kept, message, type Message, parse } from "./message.js";
import type { FromWorker } from "./protocol.js";
import { flush, type Flushed, report, syncTag } from "./receipts.js";
import { load, type Receipt, save } from "./store.js";

declare const self: ServiceWorkerGlobalScope;

/** What TypeScript's library does not know of. */
interface SyncEvent extends ExtendableEvent {
  readonly tag: string;
}
interface SubscriptionChange extends ExtendableEvent {
  readonly oldSubscription?: PushSubscription | null;
  readonly newSubscription?: PushSubscription | null;
}
interface DeclarativePush extends PushEvent {
  readonly notification?: Notification & { navigate?: string };
}
interface Syncing {
  readonly sync?: { register(tag: string): Promise<void> };
}

self.addEventListener("push", (event) => {
  event.waitUntil(pushed(read(event)));
});

self.addEventListener("notificationclick", (event) => {
  const about = kept(event.notification);
  if (!about) return; // a notification of the app's own
  event.notification.close();
  event.waitUntil(clicked(about, event.action));
});

self.addEventListener("notificationclose", (event) => {
  const about = kept(event.notification);
  if (!about) return;
  event.waitUntil(Promise.all([tell({ peal: "close", message: about }), reported(about, "dismissed")]));
});

self.addEventListener("pushsubscriptionchange", (event) => {
  const change = event as SubscriptionChange;
  change.waitUntil(resubscribed(change));
});

self.addEventListener("sync", (event) => {
  const sync = event as SyncEvent;
  if (sync.tag === syncTag) sync.waitUntil(flush().then(later));
});

function read(event: DeclarativePush): Message {
  const base = self.registration.scope;
  if (event.data) return parse(event.data.text(), base);
  // Safari has read a declarative push itself, and gives what it would show.
  if (event.notification) return message(event.notification as unknown as Record<string, unknown>, undefined, base);
  return parse("", base);
}

async function pushed(m: Message): Promise<void> {
  const [shown] = await Promise.allSettled([m.silent ? undefined : show(m)]);
  await Promise.all([
    badge(m.badge),
    tell({ peal: "push", message: m }),
    shown.status === "fulfilled" ? reported(m, "delivered") : undefined, // what nobody can see was not delivered
  ]);
  if (shown.status === "rejected") throw shown.reason;
}

async function show(m: Message): Promise<void> {
  const title = m.title || new URL(self.registration.scope).host;
  const data: Kept = { peal: { message: m } };
  // What TypeScript's library does not have of it, browsers have.
  const options: NotificationOptions & Record<string, unknown> = { body: m.body, data };
  if (m.tag) Object.assign(options, { tag: m.tag, renotify: true }); // what replaces another is news
  if (m.icon) options.icon = m.icon;
  if (m.image) options["image"] = m.image;
  if (m.lang) options.lang = m.lang;
  if (m.actions.length > 0) {
    options["actions"] = m.actions.map(({ id, title, icon }) => ({ action: id, title, ...(icon ? { icon } : {}) }));
  }
  try {
    await self.registration.showNotification(title, options);
  } catch (e) {
    if (Notification.permission !== "granted") throw e;
    await self.registration.showNotification(title, { body: m.body, data }); // rather plain than nothing
  }
}

async function clicked(m: Message, action: string): Promise<void> {
  const url = m.actions.find((a) => a.id === action)?.link ?? m.link ?? self.registration.scope;
  await Promise.allSettled([
    go(url), // first: the click allows it for a moment only
    tell({ peal: "click", message: m, ...(action ? { action } : {}) }),
    action ? reported(m, "action", action) : reported(m, "opened"),
  ]);
}

/** Brings the page to the front that shows the link, or opens one. */
async function go(url: string): Promise<void> {
  const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = open.find((c) => c.url === url);
  await (there ? there.focus() : self.clients.openWindow(url));
}

async function badge(count: number | undefined): Promise<void> {
  if (count === undefined || !("setAppBadge" in self.navigator)) return;
  try {
    await (count === 0 ? self.navigator.clearAppBadge() : self.navigator.setAppBadge(count));
  } catch {
    // an app that is not installed has no icon
  }
}

async function reported(m: Message, type: Receipt["type"], action?: string): Promise<void> {
  try {
    await later(await report(m.deliveryId, type, action));
  } catch {
    // no storage: the notification matters more than the word of it
  }
}

/** Sees to it that what waits is tried again: at the next event in any case, earlier where that can be. */
async function later(became: Flushed): Promise<void> {
  if (became === "unauthorized") await tell({ peal: "token" });
  if (became !== "later") return;
  try {
    await (self.registration as Syncing).sync?.register(syncTag);
  } catch {
    // background sync was switched off
  }
}

async function tell(said: FromWorker): Promise<void> {
  for (const client of await self.clients.matchAll({ type: "window", includeUncontrolled: true })) client.postMessage(said);
}

/** The browser has changed the subscription: Peal is told. When that fails the next start of the app does it. */
async function resubscribed(event: SubscriptionChange): Promise<void> {
  const before = await load();
  if (!before.wanted) return;
  const vapid = before.vapid ?? event.oldSubscription?.options.applicationServerKey;
  const subscription =
    event.newSubscription ??
    (vapid ? await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: vapid }) : undefined);
  if (!subscription) return;
  const state = await save({ subscription: subscription.toJSON() });
  const device = statement(state, "granted");
  if (!device || !state.server || !state.token || !state.user) return;
  await call(state.server, state.token, "PUT", devicePath(state.user, state.installation), device);
}

function kept(n: Notification): Message | undefined {
  const data = n.data as Partial<Kept> | null | undefined;
  return data?.peal?.message;
}
