import { type Receipt } from "./store.js";
/** The tag of the background sync that sends what waits. */
export declare const syncTag = "peal-receipts";
/** What became of the receipts that waited. */
export type Flushed = "done" | "later" | "unauthorized";
/** Keeps a receipt, and sends all that wait. */
export declare function report(id: string, type: Receipt["type"], action?: string): Promise<Flushed>;
/** Sends what waits. It does not fail: what could not be sent waits on. */
export declare function flush(): Promise<Flushed>;
