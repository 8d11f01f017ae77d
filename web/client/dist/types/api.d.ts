/** An answer other than a good one. */
export declare class PealError extends Error {
    /** The HTTP status; 0: the server was not reached. */
    readonly status: number;
    /** The code of the problem, such as invalid_request; empty when the server gave none. */
    readonly code: string;
    readonly name = "PealError";
    constructor(
    /** The HTTP status; 0: the server was not reached. */
    status: number, 
    /** The code of the problem, such as invalid_request; empty when the server gave none. */
    code: string, message: string);
}
/** What PUT /v1/users/{id}/devices/{installation_id} takes. */
export interface DeviceRequest {
    kind: "webpush";
    subscription: PushSubscriptionJSON;
    app_id: string;
    platform: "web";
    locale: string;
    time_zone: string;
    app_version?: string;
    permission: "granted" | "denied" | "not_determined";
}
/** What GET /v1/client tells. */
export interface ClientConfig {
    user_id?: string;
    web_push: {
        integration_id: string;
        apps?: string[];
        public_key: string;
    }[];
}
/** Makes a call. It fails with a PealError when the answer is not 2xx. */
export declare function call(server: string, token: string, method: string, path: string, body?: unknown): Promise<unknown>;
/** The key of the integration that serves an app: one that names it, else one that names none. */
export declare function keyOf(config: ClientConfig, app: string): string;
/** The path of a device. */
export declare function devicePath(user: string, installation: string): string;
