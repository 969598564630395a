/**
 * White space as Python's str.strip() and str.split() see it, which is not as JavaScript sees it: U+001C–U+001F and U+0085 count,
 * U+FEFF does not. Invariant: one pass over the text, however much white space is in it.
 */

/** Is this UTF-16 code unit white space in Python? */
export function isSpace(unit: number): boolean {
  if (unit < 0x80) return (unit >= 9 && unit <= 13) || (unit >= 28 && unit <= 32);
  return (
    unit === 0x85 ||
    unit === 0xa0 ||
    unit === 0x1680 ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    unit === 0x2028 ||
    unit === 0x2029 ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x3000
  );
}

/** Python's str.strip(). */
export function strip(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--;
  let start = 0;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  return text.slice(start, end);
}

/** Python's " ".join(text.split()), for a text that comes in parts: each call gives what is certain by then. */
export function createSpaceCollapser(): (part: string, take: (text: string) => void) => void {
  let started = false;
  let gap = false;
  return (part, take) => {
    let from = 0;
    for (let i = 0; i < part.length; i++) {
      const unit = part.charCodeAt(i);
      if (!isSpace(unit)) {
        if (gap && started) take(' ');
        started = true;
        gap = false;
        continue;
      }
      // A single space between two words stays where it is.
      if (unit === 32 && !gap && i > from && i + 1 < part.length && !isSpace(part.charCodeAt(i + 1))) continue;
      if (i > from) take(part.slice(from, i));
      gap = true;
      from = i + 1;
    }
    if (from < part.length) take(part.slice(from));
  };
}
