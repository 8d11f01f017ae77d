// Receipts go out at once where that works, and wait on disk where it does not.
import { call, PealError } from "./api.js";
import { drop, keep, load, type Receipt, type State, waiting } from "./store.js";

/** The tag of the background sync that sends what waits. */
export const syncTag = "peal-receipts";

const batch = 100; // as many as one request takes

/** What became of the receipts that waited. */
export type Flushed = "done" | "later" | "unauthorized";

/** Keeps a receipt, and sends all that wait. */
export async function report(id: string, type: Receipt["type"], action?: string): Promise<Flushed> {
  if (id === "") return "done"; // not a push of Peal
  await keep({ delivery_id: id, type, ...(action ? { action } : {}), at: new Date().toISOString() });
  return flush();
}

/** Sends what waits. It does not fail: what could not be sent waits on. */
export function flush(): Promise<Flushed> {
  // Page and worker share the receipts. Were both to send the same, nothing would be wrong, but nothing gained either.
  return navigator.locks ? navigator.locks.request("peal-receipts", empty) : empty();
}

async function empty(): Promise<Flushed> {
  try {
    const state = await load();
    for (;;) {
      const { keys, receipts } = await waiting(batch);
      if (keys.length === 0) return "done";
      const became = await send(state, receipts, keys);
      if (became !== "done") return became;
    }
  } catch {
    return "later"; // the storage failed; there may be room the next time
  }
}

async function send(state: State, receipts: Receipt[], keys: IDBValidKey[]): Promise<Flushed> {
  if (!state.server || !state.token) return "unauthorized";
  try {
    await call(state.server, state.token, "POST", "/v1/receipts", { receipts });
  } catch (e) {
    const status = e instanceof PealError ? e.status : 0;
    if (status === 401) return "unauthorized";
    if (status < 400 || status >= 500 || status === 403 || status === 408 || status === 429) return "later";
    for (let i = 0; receipts.length > 1 && i < receipts.length; i++) { // one of them is not as it should be: the others need not suffer
      const became = await send(state, receipts.slice(i, i + 1), keys.slice(i, i + 1));
      if (became !== "done") return became;
    }
  }
  await drop(keys); // also what the server will never take
  return "done";
}
