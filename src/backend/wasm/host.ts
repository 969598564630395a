/**
 * The WebAssembly interface of the host, as far as it is used here: Node's type package leaves it to the DOM's, which core code does not load.
 * Knows no engine. Invariant: types only, beside the one look-up.
 */

export interface HostMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

export interface HostModule {
  readonly __module?: never;
}

interface Host {
  readonly Memory: new (limits: { initial: number; maximum: number; shared?: boolean }) => HostMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => HostModule;
  readonly Instance: new (
    module: HostModule,
    imports: { env: { memory: HostMemory } },
  ) => { readonly exports: Record<string, unknown> };
}

export const wasm: Host = (globalThis as unknown as { readonly WebAssembly: Host }).WebAssembly;
