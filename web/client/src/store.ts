// What the page and the service worker both need to know lies in IndexedDB: it is the one storage that both can reach.

/** What is kept of this installation. */
export interface State {
  /** Made once; it is this browser's name at Peal for as long as the site's data lives. */
  installation: string;
  server?: string | undefined;
  app?: string | undefined;
  appVersion?: string | undefined;
  user?: string | undefined;
  /** The latest user token, so that the worker can report while no page is open. */
  token?: string | undefined;
  /** Whether the user wants pushes here: from subscribe until unsubscribe. */
  wanted?: boolean | undefined;
  /** The last subscription: what a device whose permission was taken away is registered with. */
  subscription?: PushSubscriptionJSON | undefined;
  /** The VAPID key that it was made with. */
  vapid?: string | undefined;
}

/** What is to be reported of a delivery. */
export interface Receipt {
  delivery_id: string;
  type: "delivered" | "opened" | "dismissed" | "action";
  action?: string;
  at: string;
}

/** The most receipts that wait. Beyond it the oldest go: they are the least worth. */
export const maxReceipts = 500;

const name = "peal";
const states = "state";
const receipts = "receipts";
const key = "installation";

/** Reads the state; the first time it makes the installation's id. */
export function load(): Promise<State> {
  return save({});
}

/** Changes the state in one transaction, so that two tabs do not undo each other's changes, and gives it as it is then. */
export function save(change: Partial<State>): Promise<State> {
  return within(states, (store, done) => {
    const get = store.get(key) as IDBRequest<State | undefined>;
    get.onsuccess = () => {
      const state: State = { ...(get.result ?? { installation: crypto.randomUUID() }), ...change };
      store.put(state, key);
      done(state);
    };
  });
}

/** Keeps a receipt until it was reported. */
export function keep(receipt: Receipt): Promise<void> {
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

/** The oldest receipts that wait, with the keys to delete them by. */
export function waiting(limit: number): Promise<{ keys: IDBValidKey[]; receipts: Receipt[] }> {
  return within(receipts, (store, done) => {
    const found: { keys: IDBValidKey[]; receipts: Receipt[] } = { keys: [], receipts: [] };
    const cursor = store.openCursor();
    cursor.onsuccess = () => {
      if (cursor.result && found.keys.length < limit) {
        found.keys.push(cursor.result.key);
        found.receipts.push(cursor.result.value as Receipt);
        cursor.result.continue();
      }
    };
    done(found);
  });
}

/** Lets receipts go. */
export function drop(keys: IDBValidKey[]): Promise<void> {
  return within(receipts, (store, done) => {
    for (const k of keys) store.delete(k);
    done();
  });
}

function open(): Promise<IDBDatabase> {
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

/** Runs one transaction, and gives what done was called with once it is on disk. */
async function within<T>(store: string, work: (store: IDBObjectStore, done: (result: T) => void) => void): Promise<T> {
  const db = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const tx = db.transaction(store, "readwrite");
      let result: T;
      tx.oncomplete = () => resolve(result);
      tx.onabort = () => reject(tx.error ?? new Error("peal: the browser's storage refused"));
      work(tx.objectStore(store), (r) => {
        result = r;
      });
    });
  } finally {
    db.close(); // an open connection would stand in the way of a later version
  }
}
