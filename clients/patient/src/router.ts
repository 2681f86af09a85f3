import { useEffect, useState } from "preact/hooks";

/** Where the patient is. The address lives in the fragment, which browsers never send to a server. */
export type Route =
  | { name: "today" }
  | { name: "invitation"; token: string }
  | { name: "exercise"; prescriptionId: string }
  | { name: "session"; id: string };

export function parseRoute(hash: string): Route {
  const [name, first] = hash.replace(/^#\/?/, "").split("/").map(decode);
  if (name === "invitation" && first) return { name, token: first };
  if (name === "exercise" && first) return { name, prescriptionId: first };
  if (name === "session" && first) return { name, id: first };
  return { name: "today" };
}

export function href(route: Route): string {
  return `#/${parts(route).map(encodeURIComponent).join("/")}`;
}

export function go(route: Route, replace = false): void {
  if (replace) location.replace(href(route));
  else location.hash = href(route);
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const follow = () => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}

function parts(route: Route): string[] {
  switch (route.name) {
    case "today":
      return ["today"];
    case "invitation":
      return ["invitation", route.token];
    case "exercise":
      return ["exercise", route.prescriptionId];
    case "session":
      return ["session", route.id];
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A mangled link is treated as it stands; the server will not know it.
  }
}
