import type { DeviceRequest } from "./api.js";
import type { State } from "./store.js";
/** Bytes as base64url without padding, as VAPID keys are written. */
export declare function base64url(bytes: ArrayBuffer | null | undefined): string;
/** Gives the subscription that was made with a VAPID key, and makes it if there is none. One of another key is worthless: it goes. */
export declare function subscribed(push: PushManager, vapid: string): Promise<PushSubscription>;
/** The full truth about this installation; nothing while it never had a subscription. */
export declare function statement(state: State, permission: NotificationPermission): DeviceRequest | undefined;
