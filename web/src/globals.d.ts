/** What the build puts in. */
declare const __ONE_FILE__: boolean;
declare module 'virtual:datasets' {
  export const packed: Record<string, string>;
}
