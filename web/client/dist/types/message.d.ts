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
    peal: {
        message: Message;
    };
}
type Fields = Record<string, unknown>;
/**
 * Reads a push. Text that is not the JSON becomes the body: browsers demand that something is shown.
 * @param base what relative links are relative to
 */
export declare function parse(text: string, base: string): Message;
/** Makes a message of a notification's fields, which are a stranger's until they were looked at. */
export declare function message(n: Fields, badge: unknown, base: string): Message;
/** An absolute http or https URL, or none: nothing else is opened. */
export declare function link(value: unknown, base: string): string | undefined;
export {};
