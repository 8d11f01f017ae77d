// The module for pages: `import { Peal } from "https://peal.example.com/client/peal.js"`.
import { call, type ClientConfig, devicePath, keyOf, PealError } from "./api.js";
import { statement, subscribed } from "./device.js";
import type { Message } from "./message.js";
import type { FromWorker } from "./protocol.js";
import { flush, report } from "./receipts.js";
import { load, save, type State } from "./store.js";

export type { Action, Message } from "./message.js";
export { PealError } from "./api.js";

/** What a Peal needs to know. */
export interface Options {
  /** Where Peal is, such as https://peal.example.com. */
  server: string;
  /** The app's name, as the integration's settings have it; its origin is a good one. */
  app: string;
  /** Gives a user token from your backend. It is called at each start, and when a token was refused. */
  token: () => Promise<string>;
  /** The path of the service worker on your origin. Default: /peal-sw.js */
  serviceWorker?: string;
  /** The app's version, for Peal's records. */
  appVersion?: string;
}

/** How this browser stands. */
export interface Registration {
  /** Whether pushes reach it. */
  subscribed: boolean;
  permission: "granted" | "denied" | "not_determined" | "unsupported";
  installationId: string;
}

/** What a page is told of by the service worker. */
export interface PealEvent {
  /** push: one came; click: it or a button was clicked; close: it was dismissed. */
  type: "push" | "click" | "close";
  message: Message;
  /** The button's id, of a click on one. */
  action?: string;
}

/** This browser, as a device of a user at Peal. */
export class Peal {
  readonly #options: Options;
  readonly #listeners = new Set<(event: PealEvent) => void>();
  /** Calls come one after the other: a register at the start and a subscribe by a click would otherwise race. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: Options) {
    this.#options = { ...options, server: options.server.replace(/\/+$/, "") };
    if (!Peal.supported) return;
    navigator.serviceWorker.addEventListener("message", (event) => this.#heard(event));
    navigator.serviceWorker.startMessages();
  }

  /** Whether this browser can be reached. On an iPhone it can once the site is on the home screen. */
  static get supported(): boolean {
    return "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis && "indexedDB" in globalThis;
  }

  /**
   * Asks the user for permission, subscribes this browser, and registers it. Call it from a click: browsers refuse to ask
   * otherwise. Whether the user allowed it is in the answer.
   */
  async subscribe(): Promise<Registration> {
    if (!Peal.supported) return unsupported();
    await Notification.requestPermission(); // before anything else is waited for: the click must still count
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
  async register(): Promise<Registration> {
    if (!Peal.supported) return unsupported();
    return this.#next(() => this.#register());
  }

  /**
   * Ends the subscription, and has Peal forget this device; such as when the user logs out. When Peal cannot be reached it
   * fails, and can be called again; nothing is shown here any more in any case.
   */
  async unsubscribe(): Promise<void> {
    if (!Peal.supported) return;
    return this.#next(async () => {
      const { installation, user } = await load();
      const worker = await navigator.serviceWorker.getRegistration(this.#path());
      await (await worker?.pushManager.getSubscription())?.unsubscribe();
      await save({ wanted: false, subscription: undefined, vapid: undefined });
      if (!user) return;
      await flush(); // what was seen until now is that user's
      try {
        await this.#call("DELETE", devicePath(user, installation));
      } catch (e) {
        if (!(e instanceof PealError && e.status === 404)) throw e; // forgotten already
      }
      await save({ user: undefined, token: undefined });
    });
  }

  /** Has a function told of pushes and clicks while the page is open. Gives a function that ends it. */
  onMessage(listener: (event: PealEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reports that the user has seen what a push was about in the app itself, without a click on it. */
  async reportOpened(deliveryId: string): Promise<void> {
    if (!("indexedDB" in globalThis)) return;
    if ((await report(deliveryId, "opened")) === "unauthorized") await this.#renew();
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined); // whoever called is told
    return next;
  }

  #path(): string {
    return this.#options.serviceWorker ?? "/peal-sw.js";
  }

  async #register(): Promise<Registration> {
    const { server, app, appVersion } = this.#options;
    let state = await save({ server, app, appVersion, token: await this.#options.token() });
    const permission = Notification.permission;
    let reached = false;
    if (state.wanted) {
      const config = (await this.#call("GET", "/v1/client")) as ClientConfig;
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
  async #subscription(vapid: string): Promise<State> {
    const worker = await activated(await navigator.serviceWorker.register(this.#path()));
    const subscription = await subscribed(worker.pushManager, vapid);
    return save({ subscription: subscription.toJSON(), vapid });
  }

  /** Makes a call with the latest token, and once more with a new one when that was refused. */
  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
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
  async #renew(): Promise<void> {
    await save({ token: await this.#options.token() });
    await flush();
  }

  #heard(event: MessageEvent): void {
    const said = event.data as Partial<FromWorker> | null;
    switch (said?.peal) {
      case "token":
        this.#renew().catch(() => undefined); // the backend may be out of reach; the next start tries again
        break;
      case "push":
      case "click":
      case "close": {
        if (!said.message) return;
        const told: PealEvent = { type: said.peal, message: said.message, ...(said.action ? { action: said.action } : {}) };
        for (const listener of this.#listeners) listener(told);
        break;
      }
    }
  }
}

function unsupported(): Registration {
  return { subscribed: false, permission: "unsupported", installationId: "" };
}

/** Waits until a worker is active: before, a browser does not subscribe. */
function activated(registration: ServiceWorkerRegistration): Promise<ServiceWorkerRegistration> {
  const worker = registration.active ?? registration.waiting ?? registration.installing;
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (registration.active) resolve(registration);
      else if (!worker || worker.state === "redundant") reject(new Error("peal: the service worker could not be installed"));
    };
    worker?.addEventListener("statechange", look);
    look();
  });
}
