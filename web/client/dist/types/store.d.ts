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
export declare const maxReceipts = 500;
/** Reads the state; the first time it makes the installation's id. */
export declare function load(): Promise<State>;
/** Changes the state in one transaction, so that two tabs do not undo each other's changes, and gives it as it is then. */
export declare function save(change: Partial<State>): Promise<State>;
/** Keeps a receipt until it was reported. */
export declare function keep(receipt: Receipt): Promise<void>;
/** The oldest receipts that wait, with the keys to delete them by. */
export declare function waiting(limit: number): Promise<{
    keys: IDBValidKey[];
    receipts: Receipt[];
}>;
/** Lets receipts go. */
export declare function drop(keys: IDBValidKey[]): Promise<void>;
