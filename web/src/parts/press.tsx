/**
 * Keeps the place of whoever uses the keyboard: a button that may not be pressed at the moment keeps the focus, what goes away hands it on,
 * and a row of many small buttons is one stop for Tab, with arrow keys inside.
 * Refuses to know: what a button does. Invariant: pressing something never throws the focus back to the top of the page.
 */
import type { ButtonHTMLAttributes, TargetedKeyboardEvent } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

interface Pressed extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'> {
  /** It cannot be pressed now. `disabled` would take the focus away from whoever has just pressed it. */
  readonly off: boolean;
}

export function Press({ off, onClick, type = 'button', ...rest }: Pressed) {
  return <button {...rest} type={type} aria-disabled={off ? 'true' : undefined} onClick={off ? undefined : onClick} />;
}

/** For the outermost element of what may go away: if the focus is inside then, the content of the page gets it. */
export function useHandingOn<T extends HTMLElement>() {
  const place = useRef<T>(null);
  useLayoutEffect(() => {
    const own = place.current;
    return () => {
      if (own?.contains(document.activeElement)) document.getElementById('main')?.focus({ preventScroll: true });
    };
  }, []);
  return place;
}

/** Arrow keys, Home and End choose among the buttons of a row. */
export function byArrows(event: TargetedKeyboardEvent<HTMLElement>): void {
  const row = event.currentTarget;
  const buttons = [...row.querySelectorAll('button')];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  const forward = getComputedStyle(row).direction === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
  const backward = forward === 'ArrowLeft' ? 'ArrowRight' : 'ArrowLeft';
  const to = { [forward]: at + 1, [backward]: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  const next = to === undefined || at < 0 ? undefined : buttons[to];
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
  next.click();
}
