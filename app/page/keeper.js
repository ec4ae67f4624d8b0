// What a browser keeps for the page. One that keeps nothing, as where cookies are blocked, only forgets sooner.

/** `get()` and `set(value)` of a name in `localStorage` or `sessionStorage`. */
export function keeper(storage, name) {
  let here = null;
  const tried = (work) => {
    try {
      return work(window[storage]);
    } catch {
      return null;
    }
  };
  return {
    get: () => here ?? tried((place) => place.getItem(name)),
    set(value) {
      here = value;
      tried((place) => place.setItem(name, value));
    },
  };
}
