/** What was made of this object before, else what `make` makes now. What is no object is made anew each time. */
export function remembered<Facts extends object>(
  known: WeakMap<object, Facts>,
  object: unknown,
  make: () => Facts,
): Facts {
  if (typeof object !== "object" || object === null) return make();
  const before = known.get(object);
  if (before !== undefined) return before;
  const facts = make();
  known.set(object, facts);
  return facts;
}
