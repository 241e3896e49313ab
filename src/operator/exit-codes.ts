/** Done. */
export const DONE = 0;
/** Refused, or nobody answers. */
export const FAILED = 1;
/** The command line, or a value in it, is wrong. */
export const WRONG_USAGE = 2;
/** The time of a drain that was waited for is up, and tunnels are left. */
export const TIME_IS_UP = 3;
