/**
 * Which kernels OpenBLAS should choose, from the processor's flags: releases older than a processor take it for a much older one
 * (0.3.21 starts on Zen 5 as Haswell, at half the speed). Wrong answers would be illegal instructions, so only flags count, no names.
 */

/** What OpenBLAS's SkylakeX kernels are compiled for. */
const SKYLAKEX = ['avx512f', 'avx512dq', 'avx512cd', 'avx512bw', 'avx512vl', 'avx2', 'fma'];

/** The value for OPENBLAS_CORETYPE, or null to leave the choice to the library. `cpuinfo` is the text of /proc/cpuinfo. */
export function coreType(cpuinfo: string): string | null {
  const all = [...cpuinfo.matchAll(/^flags\s*:(.*)$/gm)].map((line) => new Set((line[1] ?? '').trim().split(/\s+/)));
  // Every core must have them: there are processors whose cores differ.
  return all.length > 0 && all.every((flags) => SKYLAKEX.every((flag) => flags.has(flag))) ? 'SKYLAKEX' : null;
}
