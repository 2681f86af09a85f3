import { read, write } from "./vault";

/**
 * The key that binds a sign-in to this device: ECDSA P-256, made here, never exportable. Each refresh token is
 * signed with it, so a copied token is worth nothing elsewhere.
 */
export async function makeDeviceKey(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
}

export async function storedDeviceKey(): Promise<CryptoKeyPair | undefined> {
  return read<CryptoKeyPair>("account", "device-key");
}

export async function keepDeviceKey(key: CryptoKeyPair): Promise<void> {
  await write("account", "device-key", key);
}

export interface PublicKey {
  kty: "EC";
  crv: "P-256";
  x: string;
  y: string;
}

export async function publicPart(key: CryptoKeyPair): Promise<PublicKey> {
  const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", key.publicKey);
  return { kty: "EC", crv: "P-256", x, y };
}

/** Proves possession of the key for one refresh token: base64url of the signature's 64 bytes. */
export async function proofFor(key: CryptoKeyPair, refreshToken: string): Promise<string> {
  const message = new TextEncoder().encode(`homestretch-refresh-v1:${refreshToken}`);
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  return base64url(new Uint8Array(await crypto.subtle.sign(algorithm, key.privateKey, message)));
}

export function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}
