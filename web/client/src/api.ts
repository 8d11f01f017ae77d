// Peal's API, as far as a client with a user token needs it.

/** An answer other than a good one. */
export class PealError extends Error {
  override readonly name = "PealError";

  constructor(
    /** The HTTP status; 0: the server was not reached. */
    readonly status: number,
    /** The code of the problem, such as invalid_request; empty when the server gave none. */
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
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
  web_push: { integration_id: string; apps?: string[]; public_key: string }[];
}

const timeout = 15_000; // ms

/** Makes a call. It fails with a PealError when the answer is not 2xx. */
export async function call(server: string, token: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const init: RequestInit = {
    method,
    headers: { Authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    credentials: "omit",
    cache: "no-store",
    signal: AbortSignal.timeout(timeout),
  };
  if (body !== undefined) init.body = JSON.stringify(body);
  let response: Response;
  let text: string;
  try {
    response = await fetch(server + path, init);
    text = await response.text();
  } catch (e) {
    throw new PealError(0, "", `${method} ${path}: ${e instanceof Error ? e.message : String(e)}`);
  }
  const answer = json(text);
  if (response.ok) return answer;
  const problem = (answer ?? {}) as { code?: unknown; title?: unknown; detail?: unknown; errors?: { path: string; message: string }[] };
  const why = [problem.title, problem.detail, ...(problem.errors ?? []).map((e) => `${e.path}: ${e.message}`)].filter(Boolean).join("; ");
  throw new PealError(response.status, typeof problem.code === "string" ? problem.code : "", `${method} ${path}: ${response.status} ${why}`);
}

/** The key of the integration that serves an app: one that names it, else one that names none. */
export function keyOf(config: ClientConfig, app: string): string {
  const fit = config.web_push.find((w) => w.apps?.includes(app)) ?? config.web_push.find((w) => !w.apps?.length);
  if (!fit) throw new PealError(0, "no_integration", `no integration of kind webpush serves the app ${JSON.stringify(app)}`);
  return fit.public_key;
}

/** The path of a device. */
export function devicePath(user: string, installation: string): string {
  return `/v1/users/${encodeURIComponent(user)}/devices/${encodeURIComponent(installation)}`;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page
  }
}
