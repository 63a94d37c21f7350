/** Lets go of something that is held; further calls change nothing. */
export type Release = () => void;

/** A release that does `letGo` at its first call. */
export function releaseOnce(letGo: () => void): Release {
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    letGo();
  };
}
