import type { Message } from "./message.js";
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
export declare class Peal {
    #private;
    constructor(options: Options);
    /** Whether this browser can be reached. On an iPhone it can once the site is on the home screen. */
    static get supported(): boolean;
    /**
     * Asks the user for permission, subscribes this browser, and registers it. Call it from a click: browsers refuse to ask
     * otherwise. Whether the user allowed it is in the answer.
     */
    subscribe(): Promise<Registration>;
    /**
     * States the full truth about this browser. Call it at every start of your app: it renews what was changed or lost, tells
     * Peal when the permission was taken away, and sends receipts that wait. It never asks the user, and registers nothing
     * before the first subscribe.
     */
    register(): Promise<Registration>;
    /**
     * Ends the subscription, and has Peal forget this device; such as when the user logs out. When Peal cannot be reached it
     * fails, and can be called again; nothing is shown here any more in any case.
     */
    unsubscribe(): Promise<void>;
    /** Has a function told of pushes and clicks while the page is open. Gives a function that ends it. */
    onMessage(listener: (event: PealEvent) => void): () => void;
    /** Reports that the user has seen what a push was about in the app itself, without a click on it. */
    reportOpened(deliveryId: string): Promise<void>;
}
