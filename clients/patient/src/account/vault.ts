/**
 * What the app keeps on the device, in IndexedDB: who is signed in, and recordings not yet sent.
 * Nothing goes to localStorage, which any script of the page could read as plain text; the device key is stored
 * as a `CryptoKey` that cannot be exported.
 */
const NAME = "homestretch";
const SHELVES = ["account", "recordings"] as const;
export type Shelf = (typeof SHELVES)[number];

export async function read<T>(shelf: Shelf, key: string): Promise<T | undefined> {
  return (await run(shelf, "readonly", (store) => store.get(key))) as T | undefined;
}

export async function readAll<T>(shelf: Shelf): Promise<T[]> {
  return (await run(shelf, "readonly", (store) => store.getAll())) as T[];
}

export async function write(shelf: Shelf, key: string, value: unknown): Promise<void> {
  await run(shelf, "readwrite", (store) => store.put(value, key));
}

export async function remove(shelf: Shelf, key: string): Promise<void> {
  await run(shelf, "readwrite", (store) => store.delete(key));
}

export async function empty(shelf: Shelf): Promise<void> {
  await run(shelf, "readwrite", (store) => store.clear());
}

let opening: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opening ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const shelf of SHELVES) request.result.createObjectStore(shelf);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }).catch((error: unknown) => {
    opening = undefined; // Storage that was refused once may be granted the next time.
    throw error;
  });
  return opening;
}

async function run(
  shelf: Shelf,
  mode: IDBTransactionMode,
  act: (store: IDBObjectStore) => IDBRequest,
): Promise<unknown> {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(shelf, mode);
    const request = act(transaction.objectStore(shelf));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}
