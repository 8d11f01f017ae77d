// A browser as a device: its subscription, and what is stated about it.
import type { DeviceRequest } from "./api.js";
import type { State } from "./store.js";

/** Bytes as base64url without padding, as VAPID keys are written. */
export function base64url(bytes: ArrayBuffer | null | undefined): string {
  if (!bytes) return "";
  let text = "";
  for (const b of new Uint8Array(bytes)) text += String.fromCharCode(b);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Gives the subscription that was made with a VAPID key, and makes it if there is none. One of another key is worthless: it goes. */
export async function subscribed(push: PushManager, vapid: string): Promise<PushSubscription> {
  const options: PushSubscriptionOptionsInit = { userVisibleOnly: true, applicationServerKey: vapid };
  const old = await push.getSubscription();
  if (old) {
    if (base64url(old.options.applicationServerKey) === vapid.replace(/=+$/, "")) return old;
    await old.unsubscribe();
  }
  return push.subscribe(options);
}

/** The full truth about this installation; nothing while it never had a subscription. */
export function statement(state: State, permission: NotificationPermission): DeviceRequest | undefined {
  if (!state.subscription || !state.app) return undefined;
  return {
    kind: "webpush",
    subscription: { endpoint: state.subscription.endpoint ?? "", keys: state.subscription.keys ?? {} },
    app_id: state.app,
    platform: "web",
    locale: navigator.language,
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    ...(state.appVersion ? { app_version: state.appVersion } : {}),
    permission: permission === "default" ? "not_determined" : permission,
  };
}
