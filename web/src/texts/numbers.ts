/** Numbers as people read them. */
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export const count = (n: number): string => whole.format(n);
export const fixed = (n: number, digits = 3): string =>
  Number.isFinite(n) ? n.toFixed(digits).replace(/^-(0(\.0+)?)$/, '$1') : '–';
export const percent = (p: number): string => {
  const hundred = p * 100;
  if (hundred === 0) return '0 %';
  if (hundred < 0.1) return '< 0.1 %';
  return `${hundred.toFixed(hundred < 10 ? 1 : 0)} %`;
};

export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function size(bytes: number): string {
  if (bytes < 1000) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
