// Owns the user's browser for the Node drivers: follows an authorization request to the client's redirect URI.

const HOPS = 8;

export async function follow(url, redirectUri) {
  let at = String(url);
  for (let hop = 0; hop < HOPS; hop += 1) {
    const answer = await fetch(at, { redirect: "manual", headers: { accept: "text/html" } });
    const location = answer.headers.get("location");
    if (!location) throw new Error(`${at} answered ${answer.status}: ${(await answer.text()).slice(0, 800)}`);
    at = new URL(location, at).href;
    if (at.split("?")[0] === redirectUri) return Object.fromEntries(new URL(at).searchParams);
  }
  throw new Error(`no way from ${url} to ${redirectUri}`);
}
