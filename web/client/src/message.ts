// What a push says: the JSON of Declarative Web Push, which Peal sends to every browser. A silent one has data at the top
// instead of a notification.

/** A button of a notification. */
export interface Action {
  id: string;
  title: string;
  link?: string;
  icon?: string;
}

/** A push, as the app is told of it. */
export interface Message {
  /** Empty when the push did not come from Peal. */
  deliveryId: string;
  title: string;
  body: string;
  /** An absolute http or https URL. */
  link?: string;
  icon?: string;
  image?: string;
  tag?: string;
  lang?: string;
  /** Nothing is to be shown: it wakes the app. */
  silent: boolean;
  /** What the sender gave in data. */
  data: Record<string, unknown>;
  actions: Action[];
  /** The number on the app's icon; absent: as it was. */
  badge?: number;
}

/** What the worker keeps in a notification's data, to know at the click what it was about. */
export interface Kept {
  peal: { message: Message };
}

type Fields = Record<string, unknown>;

/**
 * Reads a push. Text that is not the JSON becomes the body: browsers demand that something is shown.
 * @param base what relative links are relative to
 */
export function parse(text: string, base: string): Message {
  let all: Fields = {};
  try {
    all = fields(JSON.parse(text));
  } catch {
    return { ...empty(), body: text };
  }
  // web_push: 8030 is not asked for: Peal leaves it out of what a browser could not show by itself.
  const shown = all["notification"];
  const m = message(fields(shown ?? { data: all["data"] }), all["app_badge"], base);
  m.silent = shown === undefined && m.deliveryId !== "";
  return m.silent || m.title || m.body ? m : { ...m, body: text };
}

/** Makes a message of a notification's fields, which are a stranger's until they were looked at. */
export function message(n: Fields, badge: unknown, base: string): Message {
  const data = { ...fields(n["data"]) };
  const peal = fields(data["peal"]);
  delete data["peal"];
  const title = str(n["title"]) ?? "";
  const body = str(n["body"]) ?? "";
  const m: Message = {
    ...empty(),
    deliveryId: str(peal["delivery_id"]) ?? "",
    title,
    body,
    data,
    actions: actions(n["actions"], base),
  };
  put(m, "link", link(n["navigate"], base));
  put(m, "icon", link(n["icon"], base));
  put(m, "image", link(n["image"], base));
  put(m, "tag", str(n["tag"]));
  put(m, "lang", str(n["lang"]));
  const count = typeof badge === "string" ? Number.parseInt(badge, 10) : badge;
  if (typeof count === "number" && Number.isSafeInteger(count) && count >= 0) m.badge = count;
  return m;
}

/** An absolute http or https URL, or none: nothing else is opened. */
export function link(value: unknown, base: string): string | undefined {
  if (typeof value !== "string" || value === "") return undefined;
  try {
    const url = new URL(value, base);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : undefined;
  } catch {
    return undefined;
  }
}

function actions(value: unknown, base: string): Action[] {
  if (!Array.isArray(value)) return [];
  const all: Action[] = [];
  for (const one of value) {
    const f = fields(one);
    const id = str(f["action"]);
    const title = str(f["title"]);
    if (!id || !title) continue;
    const a: Action = { id, title };
    put(a, "link", link(f["navigate"], base));
    put(a, "icon", link(f["icon"], base));
    all.push(a);
  }
  return all;
}

function empty(): Message {
  return { deliveryId: "", title: "", body: "", silent: false, data: {}, actions: [] };
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function str(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Sets a field unless there is nothing to set it to. */
function put<T, K extends keyof T>(to: T, key: K, value: T[K] | undefined): void {
  if (value !== undefined) to[key] = value;
}
