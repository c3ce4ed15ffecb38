/** What of the runtime's WebAssembly is used, typed here because this code knows neither Node nor a DOM. */

export interface WasmMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  grow(pages: number): number;
}

export interface WasmModule {
  readonly module?: never;
}

export type Export = (...args: number[]) => void;

interface WebAssemblyApi {
  readonly Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => WasmModule;
  readonly Instance: new (
    module: WasmModule,
    imports: { engine: { memory: WasmMemory } },
  ) => { readonly exports: Readonly<Record<string, Export>> };
  readonly validate: (bytes: Uint8Array<ArrayBuffer>) => boolean;
}

export const webAssembly: WebAssemblyApi = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;

/** Bytes of one page of WebAssembly memory. */
export const PAGE = 2 ** 16;
