import type { Message } from "./message.js";
/** What the service worker tells pages. */
export interface FromWorker {
    /** token: the latest one was refused, and receipts wait for a new one. */
    peal: "push" | "click" | "close" | "token";
    message?: Message;
    action?: string;
}
